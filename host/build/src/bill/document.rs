//! Bills as documents: SPDX 2.3 and CycloneDX 1.6.

use serde_json::{Value, json};

use super::{Distribution, Package};
use crate::output::rfc3339;

/// Everything that a bill says.
pub(super) struct Bill {
    pub(super) name: String,
    /// What names the content of the filesystem.
    pub(super) chain: String,
    /// Seconds since 1970.
    pub(super) epoch: i64,
    /// Name and digest of the base.
    pub(super) base: Option<(String, String)>,
    pub(super) distribution: Distribution,
    pub(super) packages: Vec<Package>,
}

impl Bill {
    /// SPDX 2.3 (<https://spdx.github.io/spdx-spec/v2.3/>), JSON.
    pub(super) fn spdx(&self) -> String {
        const IMAGE: &str = "SPDXRef-image";
        let mut packages = vec![json!({
            "SPDXID": IMAGE,
            "name": self.name,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "primaryPackagePurpose": "CONTAINER",
        })];
        let mut relationships = vec![relationship("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)];
        if let Some((name, digest)) = &self.base {
            packages.push(json!({
                "SPDXID": "SPDXRef-base",
                "name": name,
                "versionInfo": digest,
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                "primaryPackagePurpose": "CONTAINER",
            }));
            relationships.push(relationship(IMAGE, "DESCENDANT_OF", "SPDXRef-base"));
        }
        for (number, package) in self.packages.iter().enumerate() {
            let id = format!("SPDXRef-package-{number}");
            packages.push(json!({
                "SPDXID": id,
                "name": package.name,
                "versionInfo": package.version,
                "downloadLocation": "NOASSERTION",
                "filesAnalyzed": false,
                // Databases rarely hold SPDX expressions: what they say is a comment.
                "licenseDeclared": "NOASSERTION",
                "licenseComments": package.license,
                "externalRefs": [{
                    "referenceCategory": "PACKAGE-MANAGER",
                    "referenceType": "purl",
                    "referenceLocator": self.purl(package),
                }],
            }));
            relationships.push(relationship(IMAGE, "CONTAINS", &id));
        }
        json!({
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": self.name,
            "documentNamespace": format!("https://windlass-ci.github.io/spdx/{}", self.chain),
            "creationInfo": {
                "created": rfc3339(self.epoch),
                "creators": [concat!("Tool: windlass-", env!("CARGO_PKG_VERSION"))],
            },
            "packages": packages,
            "relationships": relationships,
        })
        .to_string()
    }

    /// CycloneDX 1.6 (<https://cyclonedx.org/docs/1.6/json/>).
    pub(super) fn cyclonedx(&self) -> String {
        let mut components = Vec::new();
        if let Some((name, digest)) = &self.base {
            components.push(json!({
                "bom-ref": "base",
                "type": "container",
                "name": name,
                "version": digest,
            }));
        }
        for package in &self.packages {
            let purl = self.purl(package);
            let mut component = json!({
                "bom-ref": purl,
                "type": "library",
                "name": package.name,
                "version": package.version,
                "purl": purl,
            });
            if !package.license.is_empty()
                && let Value::Object(fields) = &mut component
            {
                let license = json!([{ "license": { "name": package.license } }]);
                fields.insert("licenses".to_owned(), license);
            }
            components.push(component);
        }
        json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "timestamp": rfc3339(self.epoch),
                "tools": {
                    "components": [{
                        "type": "application",
                        "name": "windlass",
                        "version": env!("CARGO_PKG_VERSION"),
                    }],
                },
                "component": { "bom-ref": "image", "type": "container", "name": self.name },
            },
            "components": components,
        })
        .to_string()
    }

    /// The package URL (<https://github.com/package-url/purl-spec>).
    fn purl(&self, package: &Package) -> String {
        let Distribution { id, version } = &self.distribution;
        let namespace = match (id.as_str(), package.kind) {
            ("", "deb") => "debian",
            ("", "apk") => "alpine",
            ("", _) => "unknown",
            (id, _) => id,
        };
        let mut purl = format!(
            "pkg:{}/{}/{}@{}",
            package.kind,
            encoded(namespace),
            encoded(&package.name),
            encoded(&package.version)
        );
        let mut qualifiers = Vec::new();
        if !package.architecture.is_empty() {
            qualifiers.push(format!("arch={}", encoded(&package.architecture)));
        }
        if !id.is_empty() {
            let dash = if version.is_empty() { "" } else { "-" };
            qualifiers.push(format!("distro={}{dash}{}", encoded(id), encoded(version)));
        }
        if !package.source.is_empty() {
            qualifiers.push(format!("upstream={}", encoded(&package.source)));
        }
        if !qualifiers.is_empty() {
            purl.push('?');
            purl.push_str(&qualifiers.join("&"));
        }
        purl
    }
}

fn relationship(of: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": of, "relationshipType": kind, "relatedSpdxElement": to })
}

/// Percent-encoded as package URLs are: all but letters, digits and `.-_~:`.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                encoded.push(char::from(byte));
            }
            other => encoded.extend(format!("%{other:02X}").chars()),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill() -> Bill {
        let package = |kind, name: &str, version: &str, license: &str| Package {
            kind,
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: "amd64".to_owned(),
            license: license.to_owned(),
            source: String::new(),
        };
        Bill {
            name: "localhost:5000/app@sha256:1".to_owned(),
            chain: "sha256:2".to_owned(),
            epoch: 315_532_800,
            base: Some(("docker.io/library/debian:12".to_owned(), "sha256:3".to_owned())),
            distribution: Distribution { id: "debian".to_owned(), version: "12".to_owned() },
            packages: vec![package("deb", "libstdc++6", "1:12.2+really", "GPL")],
        }
    }

    const PURL: &str = "pkg:deb/debian/libstdc%2B%2B6@1:12.2%2Breally?arch=amd64&distro=debian-12";

    #[test]
    fn spdx_says_what_the_image_contains_and_stands_on() {
        let document: Value = serde_json::from_str(&bill().spdx()).unwrap();
        assert_eq!(document["spdxVersion"], "SPDX-2.3");
        assert_eq!(document["creationInfo"]["created"], "1980-01-01T00:00:00Z");
        assert_eq!(document["packages"][2]["externalRefs"][0]["referenceLocator"], PURL);
        let kinds: Vec<&str> = document["relationships"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["relationshipType"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["DESCRIBES", "DESCENDANT_OF", "CONTAINS"]);
    }

    #[test]
    fn cyclonedx_lists_the_same() {
        let document: Value = serde_json::from_str(&bill().cyclonedx()).unwrap();
        assert_eq!(document["specVersion"], "1.6");
        assert_eq!(document["components"][0]["version"], "sha256:3");
        assert_eq!(document["components"][1]["purl"], PURL);
        assert_eq!(document["components"][1]["licenses"][0]["license"]["name"], "GPL");
    }

    #[test]
    fn the_same_filesystem_gives_the_same_bytes() {
        assert_eq!(bill().spdx(), bill().spdx());
        assert_eq!(bill().cyclonedx(), bill().cyclonedx());
    }
}
