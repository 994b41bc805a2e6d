//! Platforms: for which operating system and processor an image is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system and a processor (image-spec, "Image Index", `platform`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// As Go's `GOOS`: `linux`, `windows`.
    pub os: String,
    /// As Go's `GOARCH`: `amd64`, `arm64`, `arm`.
    pub architecture: String,
    /// `v7` of `linux/arm/v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The version of the operating system; Windows has one.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Features that the operating system must have.
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a platform, expected `os/architecture` such as `linux/amd64` or `linux/arm/v7`"
)]
pub struct PlatformError(pub String);

impl Platform {
    /// The platform with the usual names: `x86_64` is `amd64`, `aarch64` and `arm64/v8` are
    /// `arm64`, `arm` is `arm/v7`; as containerd normalises.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let mut platform = self.clone();
        platform.os = match self.os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        let variant = self.variant.as_deref().map(str::to_ascii_lowercase);
        let (architecture, variant) =
            match (self.architecture.to_ascii_lowercase().as_str(), variant.as_deref()) {
                ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64".to_owned(), None),
                ("x86_64" | "x86-64" | "amd64", variant) => ("amd64".to_owned(), variant),
                ("i386" | "i486" | "i586" | "i686", _) => ("386".to_owned(), None),
                ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64".to_owned(), None),
                ("aarch64" | "arm64", variant) => ("arm64".to_owned(), variant),
                ("armhf", _) | ("arm", None | Some("7")) => ("arm".to_owned(), Some("v7")),
                ("armel", _) | ("arm", Some("6")) => ("arm".to_owned(), Some("v6")),
                ("arm", Some("5")) => ("arm".to_owned(), Some("v5")),
                (other, variant) => (other.to_owned(), variant),
            };
        platform.architecture = architecture;
        platform.variant = variant.map(str::to_owned);
        platform
    }

    /// Whether an image for `self` is one that was asked for by `wanted`.
    ///
    /// A wanted platform without a variant of an architecture that has no usual one takes all of
    /// its variants; versions and features of the operating system are not compared.
    pub fn satisfies(&self, wanted: &Self) -> bool {
        let (have, want) = (self.normalised(), wanted.normalised());
        have.os == want.os
            && have.architecture == want.architecture
            && (have.variant == want.variant
                || (want.variant.is_none() && want.architecture != "arm64"))
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let wrong = || PlatformError(text.to_owned());
        let is_word = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let parts: Vec<&str> = text.split('/').collect();
        if !parts.iter().all(|part| is_word(part)) {
            return Err(wrong());
        }
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some((*variant).to_owned())),
            _ => return Err(wrong()),
        };
        let written = Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant,
            os_version: None,
            os_features: Vec::new(),
        };
        Ok(written.normalised())
    }
}

/// `os/architecture[/variant]`.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_one_name() {
        let check = |text: &str, expect: &str| {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), expect, "{text}");
        };
        check("linux/x86_64", "linux/amd64");
        check("linux/amd64/v1", "linux/amd64");
        check("linux/amd64/v3", "linux/amd64/v3");
        check("linux/aarch64", "linux/arm64");
        check("linux/arm64/v8", "linux/arm64");
        check("linux/arm64/v9", "linux/arm64/v9");
        check("linux/arm", "linux/arm/v7");
        check("linux/arm/v6", "linux/arm/v6");
        check("Linux/armhf", "linux/arm/v7");
        check("linux/i686", "linux/386");
        check("macos/arm64", "darwin/arm64");
        for bad in ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/am d64"] {
            assert_eq!(bad.parse::<Platform>(), Err(PlatformError(bad.to_owned())));
        }
    }

    #[test]
    fn a_platform_is_matched_by_its_meaning() {
        let satisfies = |have: &str, want: &str| {
            have.parse::<Platform>().unwrap().satisfies(&want.parse().unwrap())
        };
        assert!(satisfies("linux/arm64/v8", "linux/arm64"));
        assert!(satisfies("linux/amd64/v3", "linux/amd64"));
        assert!(!satisfies("linux/amd64", "linux/amd64/v3"));
        assert!(!satisfies("linux/arm/v6", "linux/arm/v7"));
        assert!(!satisfies("windows/amd64", "linux/amd64"));
    }
}
