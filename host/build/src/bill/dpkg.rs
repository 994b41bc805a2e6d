//! dpkg's database: paragraphs of `Key: value` lines (deb-control(5)).

use super::Package;

/// The packages that are installed.
pub(super) fn parse(text: &str) -> Vec<Package> {
    text.split("\n\n").filter_map(paragraph).collect()
}

fn paragraph(text: &str) -> Option<Package> {
    let field = |name: &str| {
        let mut lines = text.lines();
        let value = lines.find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        value.unwrap_or_default()
    };
    let (name, version, status) = (field("Package"), field("Version"), field("Status"));
    // Images without dpkg itself say nothing of a status.
    let is_installed = status.is_empty() || status.ends_with(" installed");
    if name.is_empty() || version.is_empty() || !is_installed {
        return None;
    }
    // `Source: glibc (2.36-9)`: the version is said where it is another.
    let source = field("Source").split_whitespace().next().unwrap_or_default().to_owned();
    let (architecture, license) = (field("Architecture"), String::new());
    Some(Package { kind: "deb", name, version, architecture, license, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_packages_are_listed_and_others_are_not() {
        let text = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n\
                    Source: glibc (2.36-9)\nVersion: 2.36-9+deb12u8\nDescription: C library\n Version: no\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                    Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n\n\n";
        let package = |name: &str, version: &str, architecture: &str, source: &str| Package {
            kind: "deb",
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: architecture.to_owned(),
            license: String::new(),
            source: source.to_owned(),
        };
        let expect = [
            package("libc6", "2.36-9+deb12u8", "amd64", "glibc"),
            package("tzdata", "2024a-0", "all", ""),
        ];
        assert_eq!(parse(text), expect);
    }

    #[test]
    fn what_is_no_database_lists_nothing() {
        for text in ["", "\n\n\n", "Package", "Package: a\nVersion:\n", ": :\n"] {
            assert_eq!(parse(text), [], "{text:?}");
        }
    }
}
