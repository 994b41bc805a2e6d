//! How the types of `report` are read back: it only writes them.

use report::{Fault, Kind, Side};
use serde::{Deserialize, Deserializer};

/// Reads a fault, if there is one.
pub(crate) fn fault<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Fault>, D::Error> {
    Ok(Option::<WrittenFault>::deserialize(from)?.map(WrittenFault::into_fault))
}

/// Reads a fault.
pub(crate) fn some_fault<'de, D: Deserializer<'de>>(from: D) -> Result<Fault, D::Error> {
    WrittenFault::deserialize(from).map(WrittenFault::into_fault)
}

/// Reads a kind, if there is one.
pub(crate) fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Kind>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(|word| kind_of(&word)))
}

/// A fault as `report` writes it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WrittenFault {
    kind: String,
    side: String,
    #[serde(default)]
    retry: bool,
    code: String,
    message: String,
    #[serde(default)]
    causes: Vec<String>,
    #[serde(default)]
    help: Option<String>,
}

impl WrittenFault {
    fn into_fault(self) -> Fault {
        let Self { kind, side, retry, code, message, causes, help } = self;
        Fault { kind: kind_of(&kind), side: side_of(&side), retry, code, message, causes, help }
    }
}

/// A word that this version does not know was written by a later one: the step did fail.
fn kind_of(word: &str) -> Kind {
    Kind::parse(word).unwrap_or(Kind::Failed)
}

/// As [`kind_of`]: whoever a later version blames, it is something of the host's making.
fn side_of(word: &str) -> Side {
    match word {
        "plugin" => Side::Plugin,
        "remote" => Side::Remote,
        "user" => Side::User,
        _ => Side::Host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_side_is_read_as_it_was_written() {
        for kind in Kind::ALL {
            for side in [Side::Plugin, Side::Host, Side::Remote, Side::User] {
                let written = Fault::new(kind, "no").side(side).cause("a").cause("b").help("try");
                let text = serde_json::to_string(&written).unwrap();
                let read = some_fault(&mut serde_json::Deserializer::from_str(&text)).unwrap();
                assert_eq!(read, written);
            }
        }
    }
}
