//! apk's database: paragraphs of lines with a letter each (the format of `APKINDEX`).

use super::Package;

/// The packages that are installed.
pub(super) fn parse(text: &str) -> Vec<Package> {
    text.split("\n\n").filter_map(paragraph).collect()
}

fn paragraph(text: &str) -> Option<Package> {
    let mut package = Package { kind: "apk", ..Package::default() };
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key {
            "P" => value.clone_into(&mut package.name),
            "V" => value.clone_into(&mut package.version),
            "A" => value.clone_into(&mut package.architecture),
            "L" => value.clone_into(&mut package.license),
            "o" if value != package.name => value.clone_into(&mut package.source),
            _ => {}
        }
    }
    (!package.name.is_empty() && !package.version.is_empty()).then_some(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_listed_with_their_licences() {
        let text = "C:Q1=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:libc.so\n\n\
                    P:libcrypto3\nV:3.3.1-r0\nA:x86_64\nL:Apache-2.0\no:openssl\n";
        let package = |name: &str, version: &str, license: &str, source: &str| Package {
            kind: "apk",
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "x86_64".to_owned(),
            license: license.to_owned(),
            source: source.to_owned(),
        };
        let expect = [
            package("musl", "1.2.5-r0", "MIT", ""),
            package("libcrypto3", "3.3.1-r0", "Apache-2.0", "openssl"),
        ];
        assert_eq!(parse(text), expect);
    }

    #[test]
    fn what_is_no_database_lists_nothing() {
        for text in ["", "P:a\n", "V:1\n", "no colon\n\n"] {
            assert_eq!(parse(text), [], "{text:?}");
        }
    }
}
