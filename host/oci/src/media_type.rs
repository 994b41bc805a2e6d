//! Media types: how bytes say what they are.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A media type, without parameters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(Cow<'static, str>);

impl MediaType {
    /// An OCI image (or artifact) manifest.
    pub const OCI_MANIFEST: Self = Self::known("application/vnd.oci.image.manifest.v1+json");
    /// An OCI index.
    pub const OCI_INDEX: Self = Self::known("application/vnd.oci.image.index.v1+json");
    /// A docker image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: Self =
        Self::known("application/vnd.docker.distribution.manifest.v2+json");
    /// A docker manifest list.
    pub const DOCKER_INDEX: Self =
        Self::known("application/vnd.docker.distribution.manifest.list.v2+json");
    /// The artifact manifest of a release candidate of the image specification.
    pub const OCI_ARTIFACT: Self = Self::known("application/vnd.oci.artifact.manifest.v1+json");
    /// The configuration of an OCI image.
    pub const OCI_CONFIG: Self = Self::known("application/vnd.oci.image.config.v1+json");
    /// `{}`, where there is no configuration (image-spec, "Guidance for an Empty Descriptor").
    pub const OCI_EMPTY: Self = Self::known("application/vnd.oci.empty.v1+json");
    /// A compressed layer of an OCI image.
    pub const OCI_LAYER_GZIP: Self = Self::known("application/vnd.oci.image.layer.v1.tar+gzip");
    /// The configuration of a docker image.
    pub const DOCKER_CONFIG: Self = Self::known("application/vnd.docker.container.image.v1+json");
    /// A layer of a docker image, as it is in a file system.
    pub const DOCKER_LAYER: Self = Self::known("application/vnd.docker.image.rootfs.diff.tar");
    /// The same, compressed.
    pub const DOCKER_LAYER_GZIP: Self =
        Self::known("application/vnd.docker.image.rootfs.diff.tar.gzip");
    /// The same, compressed with zstd, as BuildKit names it.
    pub const DOCKER_LAYER_ZSTD: Self =
        Self::known("application/vnd.docker.image.rootfs.diff.tar.zstd");
    /// Bytes about which nothing is known.
    pub const OCTET_STREAM: Self = Self::known("application/octet-stream");

    /// What a registry is asked for when a manifest is wanted, the best first.
    pub const MANIFESTS: [Self; 5] = [
        Self::OCI_INDEX,
        Self::OCI_MANIFEST,
        Self::DOCKER_INDEX,
        Self::DOCKER_MANIFEST,
        Self::OCI_ARTIFACT,
    ];

    const fn known(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Any media type; parameters (`; charset=utf-8`) are dropped, case is folded.
    pub fn new(text: &str) -> Self {
        let bare = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Self(Cow::Owned(bare))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a list of manifests.
    pub fn is_index(&self) -> bool {
        *self == Self::OCI_INDEX || *self == Self::DOCKER_INDEX
    }

    /// Whether it is one of the manifests or indexes that we know.
    pub fn is_manifest(&self) -> bool {
        Self::MANIFESTS.contains(self)
    }

    /// Whether it is docker's first format, which is neither stable under its digest nor pushed by
    /// anything any more.
    pub fn is_schema1(&self) -> bool {
        self.0.starts_with("application/vnd.docker.distribution.manifest.v1+")
    }

    /// Whether it is a layer that registries do not have: it lies where its `urls` say.
    pub fn is_foreign_layer(&self) -> bool {
        self.0.starts_with("application/vnd.docker.image.rootfs.foreign.")
            || self.0.starts_with("application/vnd.oci.image.layer.nondistributable.")
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        let found = MediaType::new("Application/vnd.OCI.image.index.v1+json; charset=utf-8");
        assert_eq!(found, MediaType::OCI_INDEX);
        assert!(found.is_index() && found.is_manifest());
        assert!(
            MediaType::new("application/vnd.docker.distribution.manifest.v1+prettyjws")
                .is_schema1()
        );
    }
}
