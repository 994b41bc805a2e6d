//! Manifests: bytes first.
//!
//! A [`Manifest`] is the bytes as they were received; its digest is over just these, and only these
//! are ever sent on. The parsed view is derived, is lenient (what we do not know we pass on), and is
//! never written back.

use bytes::Bytes;
use serde::Deserialize;

use crate::{Annotations, Descriptor, Digest, Error, Index, MediaType, Mismatch};

/// No manifest is larger (distribution-spec, "Pushing Manifests": registries should take 4 MiB).
pub const LARGEST_MANIFEST: u64 = 4 * 1024 * 1024;

/// A manifest or an index, as its bytes, with what they say.
#[derive(Clone, Debug)]
pub struct Manifest {
    media_type: MediaType,
    digest: Digest,
    bytes: Bytes,
    content: Content,
}

/// What the bytes of a manifest say.
#[derive(Clone, Debug)]
pub enum Content {
    /// An image, or an artifact in an image's clothes.
    Image(Box<ImageManifest>),
    /// A list of manifests.
    Index(Box<Index>),
    /// Something that refers to nothing that we know of; passed on as it is.
    Opaque,
}

/// The parts of an image or artifact manifest (image-spec, "Image Manifest").
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// The configuration; the old artifact manifests have none.
    #[serde(default)]
    pub config: Option<Descriptor>,
    /// The layers, the lowest first; `blobs` of the old artifact manifests.
    #[serde(default, alias = "blobs")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one speaks about.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// What kind of artifact it is.
    #[serde(default)]
    pub artifact_type: Option<MediaType>,
    /// Notes.
    #[serde(default)]
    pub annotations: Annotations,
}

/// Just enough to see what a document is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    media_type: Option<MediaType>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    blobs: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// Bytes that were received as `declared`, whose digest is computed (sha256).
    pub fn new(declared: MediaType, bytes: Bytes) -> Result<Self, Error> {
        let digest = Digest::of(&bytes);
        Self::checked(declared, digest, bytes)
    }

    /// Bytes that must have `digest`.
    pub fn verified(declared: MediaType, digest: Digest, bytes: Bytes) -> Result<Self, Error> {
        digest
            .verify(&bytes)
            .map_err(|mismatch| Error::mismatch(format!("manifest {digest}"), mismatch))?;
        Self::checked(declared, digest, bytes)
    }

    /// Bytes of a manifest of which nobody says what it is; what it is follows from what it has.
    pub fn guessed(digest: Digest, bytes: Bytes) -> Result<Self, Error> {
        let shape =
            shape(&bytes).map_err(|why| Error::invalid(format!("manifest {digest}"), why))?;
        let media_type = shape.guess().ok_or_else(|| {
            Error::invalid(format!("manifest {digest}"), "it is neither a manifest nor an index")
        })?;
        Self::checked(media_type, digest, bytes)
    }

    /// Whether bytes that were answered as `declared` can be a manifest at all: of a type that we
    /// know, of somebody else's and JSON, or of no type and built like one of ours. What is wrong
    /// with one that can be is said by [`Manifest::checked`].
    pub(crate) fn is_plausible(declared: Option<&MediaType>, bytes: &[u8]) -> bool {
        match declared {
            Some(known) if known.is_manifest() || known.is_schema1() => true,
            Some(_) => serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok(),
            None => shape(bytes).is_ok_and(|shape| shape.guess().is_some()),
        }
    }

    /// Bytes that are known to have `digest`.
    pub(crate) fn checked(
        declared: MediaType,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<Self, Error> {
        let what = || format!("manifest {digest}");
        if bytes.len() as u64 > LARGEST_MANIFEST {
            let why = format!("it has {} bytes, at most {LARGEST_MANIFEST} are read", bytes.len());
            return Err(Error::invalid(what(), why));
        }
        if declared.is_schema1() {
            return Err(Error::Schema1 { digest });
        }
        let content = if declared.is_manifest() {
            let shape = shape(&bytes).map_err(|why| Error::invalid(what(), why))?;
            if shape.schema_version == Some(1) && shape.manifests.is_none() {
                return Err(Error::Schema1 { digest });
            }
            shape.check(&declared).map_err(|why| Error::invalid(what(), why))?;
            parse(&declared, &bytes).map_err(|why| Error::invalid(what(), why))?
        } else {
            // Somebody else's media type: if it is built like ours, what it refers to comes along.
            let guess = shape(&bytes).ok().and_then(|shape| shape.by_parts());
            guess.and_then(|guess| parse(&guess, &bytes).ok()).unwrap_or(Content::Opaque)
        };
        Ok(Self { media_type: declared, digest, bytes, content })
    }

    /// What it was declared to be.
    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes, as received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What they say.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// What points at it.
    pub fn descriptor(&self) -> Descriptor {
        let size = self.bytes.len() as u64;
        let mut descriptor = Descriptor::new(self.media_type.clone(), self.digest, size);
        descriptor.artifact_type = self.artifact_type();
        descriptor
    }

    /// The blobs that it refers to, the configuration last, each once.
    pub fn blobs(&self) -> Vec<Descriptor> {
        let mut blobs: Vec<Descriptor> = Vec::new();
        if let Content::Image(image) = &self.content {
            for blob in image.layers.iter().chain(&image.config) {
                if !blobs.iter().any(|known| known.digest == blob.digest) {
                    blobs.push(blob.clone());
                }
            }
        }
        blobs
    }

    /// The manifests that it lists.
    pub fn manifests(&self) -> &[Descriptor] {
        match &self.content {
            Content::Index(index) => &index.manifests,
            Content::Image(_) | Content::Opaque => &[],
        }
    }

    /// The manifest that this one speaks about.
    pub fn subject(&self) -> Option<&Descriptor> {
        match &self.content {
            Content::Image(image) => image.subject.as_ref(),
            Content::Index(index) => index.subject.as_ref(),
            Content::Opaque => None,
        }
    }

    /// What kind of artifact it is; without a word about it, the media type of its configuration
    /// (distribution-spec, "Listing Referrers").
    pub fn artifact_type(&self) -> Option<MediaType> {
        match &self.content {
            Content::Image(image) => said(&image.artifact_type).or_else(|| {
                let config = image.config.as_ref().map(|config| &config.media_type)?;
                let is_image = *config == MediaType::OCI_CONFIG
                    || config.as_str().starts_with("application/vnd.docker.container.image.");
                (!is_image && *config != MediaType::OCI_EMPTY).then(|| config.clone())
            }),
            Content::Index(index) => said(&index.artifact_type),
            Content::Opaque => None,
        }
    }

    /// Its annotations.
    pub fn annotations(&self) -> Annotations {
        match &self.content {
            Content::Image(image) => image.annotations.clone(),
            Content::Index(index) => index.annotations.clone(),
            Content::Opaque => Annotations::default(),
        }
    }

    /// Whether its bytes alone say what it is, so that nobody has to write it down beside them.
    pub fn says_its_media_type(&self) -> bool {
        shape(&self.bytes).ok().and_then(|shape| shape.guess()).as_ref() == Some(&self.media_type)
    }

    /// How it is listed among the referrers of its subject: with the annotations of the manifest.
    pub fn as_referrer(&self) -> Descriptor {
        let mut descriptor = self.descriptor();
        if let Content::Image(image) = &self.content
            && descriptor.artifact_type.is_none()
        {
            descriptor.artifact_type = image.config.as_ref().map(|c| c.media_type.clone());
        }
        descriptor.annotations = self.annotations();
        descriptor
    }
}

/// An empty artifact type says as much as none (distribution-spec, "Listing Referrers").
fn said(artifact_type: &Option<MediaType>) -> Option<MediaType> {
    artifact_type.clone().filter(|said| !said.as_str().is_empty())
}

/// Keeps a size honest where only its text is known.
pub(crate) fn too_large(what: String, found: u64) -> Error {
    Error::mismatch(what, Mismatch::Size { expected: LARGEST_MANIFEST, found, at_least: true })
}

impl Shape {
    /// The declared type, else what the parts say.
    fn guess(&self) -> Option<MediaType> {
        match &self.media_type {
            Some(declared) if declared.is_manifest() || self.by_parts().is_some() => {
                Some(declared.clone())
            }
            Some(_) | None => self.by_parts(),
        }
    }

    fn by_parts(&self) -> Option<MediaType> {
        match self {
            Self { manifests: Some(_), .. } => Some(MediaType::OCI_INDEX),
            Self { config: Some(_), .. } | Self { layers: Some(_), .. } => {
                Some(MediaType::OCI_MANIFEST)
            }
            Self { blobs: Some(_), .. } => Some(MediaType::OCI_ARTIFACT),
            _ => None,
        }
    }

    /// A document that means different things to different readers is an attack
    /// (CVE-2021-41190): an image must not also be an index, and must be what it was sent as.
    fn check(&self, declared: &MediaType) -> Result<(), String> {
        if self.manifests.is_some() && (self.config.is_some() || self.layers.is_some()) {
            return Err(
                "it has `manifests` and `config` or `layers`, so it is ambiguous".to_owned()
            );
        }
        match &self.media_type {
            Some(inside) if inside != declared => {
                Err(format!("it says `{inside}` but was declared to be `{declared}`"))
            }
            _ => Ok(()),
        }
    }
}

fn shape(bytes: &[u8]) -> Result<Shape, String> {
    // An array would do as well for the parser.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err("it is not a JSON object".to_owned());
    }
    serde_json::from_slice(bytes).map_err(|error| format!("it is not a JSON manifest: {error}"))
}

fn parse(media_type: &MediaType, bytes: &[u8]) -> Result<Content, String> {
    let parsed = match media_type.is_index() {
        true => serde_json::from_slice(bytes).map(Content::Index),
        false => serde_json::from_slice(bytes).map(Content::Image),
    };
    parsed.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
