//! Platforms as text, `os/architecture[/variant]`, compared by what they mean.
//!
//! Of Windows, where one index has an image for each version of the system, the version is said too,
//! as containerd does: `windows(10.0.20348)/amd64`.

/// What a platform is made of, under the usual names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    os: String,
    version: Option<String>,
    architecture: String,
    variant: Option<String>,
}

impl Parts {
    fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some(*variant)),
            _ => return None,
        };
        let (os, version) = match os.split_once('(') {
            Some((os, version)) => (os, Some(version.strip_suffix(')')?)),
            None => (os, None),
        };
        let is_word = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let mut all = [os, architecture].into_iter().chain(variant).chain(version);
        all.all(is_word).then(|| Self::new(os, version, architecture, variant))
    }

    /// With the usual names, as containerd normalises: `x86_64` is `amd64`, `aarch64` and `arm64/v8`
    /// are `arm64`, `arm` is `arm/v7`.
    fn new(os: &str, version: Option<&str>, architecture: &str, variant: Option<&str>) -> Self {
        let os = match os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        let variant = variant.map(str::to_ascii_lowercase).filter(|variant| !variant.is_empty());
        let architecture = architecture.to_ascii_lowercase();
        let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
            ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
            ("x86_64" | "x86-64" | "amd64", variant) => ("amd64", variant),
            ("i386" | "i486" | "i586" | "i686", _) => ("386", None),
            ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
            ("aarch64" | "arm64", variant) => ("arm64", variant),
            ("armhf", _) | ("arm", None | Some("7")) => ("arm", Some("v7")),
            ("armel", _) | ("arm", Some("6")) => ("arm", Some("v6")),
            ("arm", Some("5")) => ("arm", Some("v5")),
            (other, variant) => (other, variant),
        };
        Self {
            os,
            version: version.map(str::to_owned),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        }
    }

    fn text(&self) -> String {
        let version = self.version.as_ref().map(|version| format!("({version})"));
        let variant = self.variant.as_ref().map(|variant| format!("/{variant}"));
        let (version, variant) = (version.unwrap_or_default(), variant.unwrap_or_default());
        format!("{}{version}/{}{variant}", self.os, self.architecture)
    }
}

/// `text` under the usual names; none if it is no platform.
#[must_use]
pub fn usual(text: &str) -> Option<String> {
    Parts::read(text).map(|parts| parts.text())
}

/// The platform of an entry of an index.
///
/// Of the version of the system the release is left out, as in `10.0.20348.2700`: it moves with
/// every image.
#[must_use]
pub fn of_entry(
    os: &str,
    architecture: &str,
    variant: Option<&str>,
    version: Option<&str>,
) -> Option<String> {
    let version = version
        .filter(|_| os == "windows")
        .map(|version| version.split('.').take(3).collect::<Vec<_>>().join("."));
    let parts = Parts::new(os, version.as_deref(), architecture, variant);
    usual(&parts.text())
}

/// Whether an image for `have` is one that was asked for by `want`.
///
/// A wanted platform that does not say a variant takes all of them, where the architecture has no
/// usual one; one that does not say a version of the system takes all of these.
#[must_use]
pub fn satisfies(have: &str, want: &str) -> bool {
    let (Some(have), Some(want)) = (Parts::read(have), Parts::read(want)) else {
        return have == want;
    };
    have.os == want.os
        && have.architecture == want.architecture
        && (have.variant == want.variant
            || (want.variant.is_none() && want.architecture != "arm64"))
        && (have.version == want.version || want.version.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_has_one_name() {
        for (text, expect) in [
            ("linux/amd64", Some("linux/amd64")),
            ("Linux/x86_64", Some("linux/amd64")),
            ("linux/arm64/v8", Some("linux/arm64")),
            ("linux/arm", Some("linux/arm/v7")),
            ("linux/armel", Some("linux/arm/v6")),
            ("windows(10.0.20348)/amd64", Some("windows(10.0.20348)/amd64")),
            ("windows(10.0.20348/amd64", None),
            ("linux", None),
            ("linux/", None),
            ("linux/a/b/c", None),
            ("linux/am d64", None),
            ("", None),
        ] {
            assert_eq!(usual(text).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn a_platform_is_matched_by_its_meaning() {
        for (have, want, expect) in [
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/amd64/v3", "linux/amd64", true),
            ("linux/amd64", "linux/amd64/v3", false),
            ("linux/arm/v6", "linux/arm", false),
            ("windows(10.0.20348)/amd64", "windows/amd64", true),
            ("windows(10.0.20348)/amd64", "windows(10.0.17763)/amd64", false),
            ("linux/amd64", "linux/arm64", false),
        ] {
            assert_eq!(satisfies(have, want), expect, "{have} {want}");
        }
    }

    #[test]
    fn an_entry_of_windows_keeps_its_name_from_release_to_release() {
        let of = |version| of_entry("windows", "amd64", None, Some(version));
        assert_eq!(of("10.0.20348.2700"), of("10.0.20348.2762"));
        assert_eq!(of("10.0.20348.2700").as_deref(), Some("windows(10.0.20348)/amd64"));
        let linux = of_entry("linux", "arm64", Some("v8"), Some("6.1"));
        assert_eq!(linux.as_deref(), Some("linux/arm64"));
    }
}
