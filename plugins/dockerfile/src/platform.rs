//! `os/architecture[/variant]`, as containerd reads it.

use std::fmt;

/// What an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`, `arm64`, ...
    pub architecture: String,
    /// `v7`; empty if there is none.
    pub variant: String,
}

const SYSTEMS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

const ARCHITECTURES: [&str; 23] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc64",
    "wasm",
];

impl Platform {
    /// Reads a platform; what `text` leaves out (`arm64`, `linux`) is as in `machine`.
    ///
    /// Other words for an architecture are put in the usual one: `aarch64` is `arm64`.
    pub fn parse(text: &str, machine: &Self) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        };
        if !parts.iter().all(|part| is_plain(part)) {
            return None;
        }
        let new = |os: &str, (architecture, variant): (String, String)| {
            let os = os.to_ascii_lowercase();
            let os = if os == "macos" { "darwin".to_owned() } else { os };
            Self { os, architecture, variant }
        };
        match parts.as_slice() {
            [one] => {
                let os = new(one, (machine.architecture.clone(), machine.variant.clone()));
                if SYSTEMS.contains(&os.os.as_str()) {
                    return Some(os);
                }
                let found = new(&machine.os, usual(one, None));
                ARCHITECTURES.contains(&found.architecture.as_str()).then_some(found)
            }
            [os, architecture] => Some(new(os, usual(architecture, None))),
            [os, architecture, variant] => Some(new(os, usual(architecture, Some(variant)))),
            _ => None,
        }
    }
}

/// The usual word for an architecture, and the variant that it implies or that goes without saying.
fn usual(architecture: &str, variant: Option<&str>) -> (String, String) {
    let architecture = architecture.to_ascii_lowercase();
    let variant = variant.map(str::to_ascii_lowercase);
    let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", ""),
        ("x86_64" | "x86-64", Some(variant)) => ("amd64", variant),
        ("aarch64" | "arm64", None) => ("arm64", ""),
        ("aarch64" | "arm64", Some("8" | "v8" | "v8.0")) => ("arm64", "v8"),
        ("aarch64" | "arm64", Some("9" | "9.0" | "v9.0")) => ("arm64", "v9"),
        ("aarch64", Some(variant)) => ("arm64", variant),
        ("armhf", None) => ("arm", ""),
        ("armhf", Some(_)) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", Some("5")) => ("arm", "v5"),
        ("arm", Some("6")) => ("arm", "v6"),
        ("arm", Some("7")) => ("arm", "v7"),
        ("arm", Some("8")) => ("arm", "v8"),
        (architecture, variant) => (architecture, variant.unwrap_or_default()),
    };
    (architecture.to_owned(), variant.to_owned())
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_as_containerd_reads_them() {
        let machine = Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: String::new(),
        };
        let rows = [
            ("linux/amd64", Some("linux/amd64")),
            ("linux", Some("linux/amd64")),
            ("arm64", Some("linux/arm64")),
            ("Linux/AArch64", Some("linux/arm64")),
            ("linux/x86_64", Some("linux/amd64")),
            ("linux/arm/7", Some("linux/arm/v7")),
            ("linux/arm", Some("linux/arm")),
            ("armel", Some("linux/arm/v6")),
            ("linux/arm64/8", Some("linux/arm64/v8")),
            ("linux/amd64/v1", Some("linux/amd64")),
            ("linux/amd64/v3", Some("linux/amd64/v3")),
            ("macos/arm64", Some("darwin/arm64")),
            ("own/strange", Some("own/strange")),
            ("strange", None),
            ("", None),
            ("linux/", None),
            ("linux/a/b/c", None),
            ("linux/*", None),
        ];
        for (text, wanted) in rows {
            let found = Platform::parse(text, &machine).map(|platform| platform.to_string());
            assert_eq!(found.as_deref(), wanted, "{text}");
        }
    }
}
