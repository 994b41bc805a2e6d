//! Who the pipeline is to clouds: its `[identity]`.

use std::{collections::BTreeMap, sync::Arc};

use azure::Identity;
use report::{Fault, Kind, closest};

/// The identities of one run. Clones share their tokens.
#[derive(Clone, Default)]
pub struct Identities(Arc<Inner>);

#[derive(Default)]
struct Inner {
    declared: BTreeMap<String, Identity>,
    /// Where none is declared.
    default: Option<Identity>,
}

impl Identities {
    /// Those that the pipeline declared, and who this machine is where it declares none.
    pub fn new(declared: impl IntoIterator<Item = Identity>, default: Option<Identity>) -> Self {
        let declared = declared.into_iter().map(|identity| (identity.name().to_owned(), identity));
        Self(Arc::new(Inner { declared: declared.collect(), default }))
    }

    /// The identity that the pipeline calls `name`.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] if there is none.
    pub fn get(&self, name: &str) -> Result<&Identity, Fault> {
        self.0.declared.get(name).ok_or_else(|| {
            let near = closest(name, self.0.declared.keys().map(String::as_str));
            let help = near.map_or_else(
                || format!("declare it: `[identity.{name}]` with `kind = \"azure\"`"),
                |near| format!("did you mean `{near}`?"),
            );
            Fault::new(Kind::Unauthorized, format!("the pipeline has no identity `{name}`"))
                .code("unauthorized.identity")
                .help(help)
        })
    }

    /// The one that is meant where none is named: the only one, or, if none is declared, who this
    /// machine is.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if there are several, [`Kind::Unauthorized`] if there is nobody.
    pub fn usual(&self) -> Result<&Identity, Fault> {
        let mut declared = self.0.declared.values();
        match (declared.next(), declared.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => {
                Err(Fault::new(Kind::Invalid, "the pipeline has several identities")
                    .code("invalid.identity")
                    .help("say which: `identity = \"…\"`"))
            }
            (None, _) => self.0.default.as_ref().ok_or_else(|| {
                Fault::new(Kind::Unauthorized, "the pipeline has no identity")
                    .code("unauthorized.identity")
                    .help("declare one: `[identity.azure]` with `kind = \"azure\"`")
            }),
        }
    }
}

#[cfg(test)]
pub(crate) mod loopback;
#[cfg(test)]
mod tests;
