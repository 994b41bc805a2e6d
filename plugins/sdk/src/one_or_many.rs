//! Inputs of which there is mostly one.

use serde::{Deserialize, Deserializer, Serialize};

use crate::schema::{Schema, Shape};

/// Texts, of which one may stand without a list: `platforms = "all"`, `platforms = ["a", "b"]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OneOrMany(Vec<String>);

impl OneOrMany {
    /// All of them, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

impl<const N: usize> From<[&str; N]> for OneOrMany {
    fn from(texts: [&str; N]) -> Self {
        Self(texts.map(str::to_owned).into())
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Many(Vec<String>),
            One(String),
        }
        Ok(Self(match Written::deserialize(from)? {
            Written::Many(many) => many,
            Written::One(one) => vec![one],
        }))
    }
}

impl Schema for OneOrMany {
    fn shape() -> Shape {
        Shape::Either(vec![Vec::<String>::shape(), Shape::String])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_a_list_of_one() {
        let read = |json: &str| serde_json::from_str::<OneOrMany>(json);
        assert_eq!(read(r#""all""#).unwrap(), OneOrMany::from(["all"]));
        assert_eq!(read(r#"["a", "b"]"#).unwrap(), OneOrMany::from(["a", "b"]));
        assert_eq!(read("[]").unwrap(), OneOrMany::default());
        assert!(read("1").is_err() && read(r#"[1]"#).is_err());
    }
}
