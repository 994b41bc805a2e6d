//! Values that are written in more than one way.

use serde::{Deserialize, Deserializer, Serialize};
use windlass_plugin::Schema;
use windlass_plugin::schema::Shape;

/// Text, or a secret that stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// As it is.
    Plain(String),
    /// `{ secret = "NAME" }`.
    Secret(SecretName),
}

/// A secret of the pipeline: `{ secret = "NAME" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretName {
    /// Its name in `[secrets]`.
    pub secret: String,
}

impl Schema for Text {
    fn shape() -> Shape {
        Shape::Either(vec![Shape::String, SecretName::shape()])
    }
}

/// A port: `80`, `"80"`, `"53/udp"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The number; 0 is refused.
    pub number: u16,
    /// UDP in place of TCP.
    pub is_udp: bool,
}

impl Port {
    fn parse(text: &str) -> Option<Self> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let is_udp = match protocol.to_ascii_lowercase().as_str() {
            "tcp" => false,
            "udp" => true,
            _ => return None,
        };
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|number| is_plain && *number > 0)?;
        Some(Self { number, is_udp })
    }

    /// As Azure writes it.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        if self.is_udp { "UDP" } else { "TCP" }
    }
}

impl Serialize for Port {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.is_udp {
            true => to.serialize_str(&format!("{}/udp", self.number)),
            false => to.serialize_u16(self.number),
        }
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u16),
            Text(String),
        }
        let text = match Written::deserialize(from)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no port, such as 80 or \"53/udp\""))
        })
    }
}

impl Schema for Port {
    fn shape() -> Shape {
        Shape::Either(vec![u16::shape(), Shape::String])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_or_a_text() {
        let read = |json: &str| serde_json::from_str::<Port>(json);
        assert_eq!(read("80").unwrap(), Port { number: 80, is_udp: false });
        assert_eq!(read(r#""53/UDP""#).unwrap(), Port { number: 53, is_udp: true });
        assert_eq!(read(r#""443/tcp""#).unwrap(), Port { number: 443, is_udp: false });
        for bad in ["0", "65536", "-1", "1.5", r#""""#, r#""80/sctp""#, r#""+80""#, r#""80/""#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_text_is_plain_or_a_secret() {
        let read = |json: &str| serde_json::from_str::<Text>(json);
        assert_eq!(read(r#""a""#).unwrap(), Text::Plain("a".to_owned()));
        let secret = SecretName { secret: "pwd".to_owned() };
        assert_eq!(read(r#"{"secret":"pwd"}"#).unwrap(), Text::Secret(secret));
        for bad in ["1", r#"{"secret":1}"#, r#"{"secret":"a","x":1}"#, "{}", "[]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
