//! What an archive holds: images by name, blobs by digest.
//!
//! An archive of either format becomes the same: manifests, and where in the file their blobs lie.
//! Digests come from names that the archive gives, so that nothing is hashed to open it; they are
//! claims, and everything is verified when it is read.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::toc::{Extent, Toc, TocError};
use super::{ArchiveFormat, docker};
use crate::layout::index_file::IndexFile;
use crate::layout::read::read;
use crate::only_image::Listed;
use crate::{Algorithm, Digest, Error, LARGEST_MANIFEST, Manifest, MediaType};

/// The files of a layout (image-spec, "Image Layout") and of `docker save`.
pub(super) const MARKER: &str = "oci-layout";
pub(super) const INDEX: &str = "index.json";
pub(super) const DOCKER_MANIFEST: &str = "manifest.json";
pub(super) const DOCKER_REPOSITORIES: &str = "repositories";

/// 16 MiB: a list of 50,000 images.
const LARGEST_LIST: u64 = 16 * 1024 * 1024;

/// An open archive.
pub(super) struct Contents {
    pub(super) file: Arc<File>,
    pub(super) toc: Toc,
    /// `index.json`; empty where there is none.
    pub(super) index: IndexFile,
    /// `manifest.json`; empty where there is none.
    pub(super) docker: Vec<docker::Entry>,
    pub(super) blobs: BTreeMap<Digest, Extent>,
    /// What can be asked for by name, in the order of the archive.
    pub(super) images: Vec<Listed>,
    /// Manifests that are not in the file.
    made: BTreeMap<Digest, Manifest>,
    name: String,
}

impl Contents {
    /// Opens the archive at `path`; none if there is none.
    pub(super) fn open(
        path: &Path,
        format: &ArchiveFormat,
        name: &str,
    ) -> Result<Option<Self>, Error> {
        let io =
            |what: &'static str| move |source| Error::Io { what, place: name.to_owned(), source };
        let file = match fs_err::File::open(path) {
            Ok(file) => file.into_file(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("opening")(error)),
        };
        if !file.metadata().map_err(io("opening"))?.is_file() {
            return Err(invalid(name, "it is not a file"));
        }
        let toc = Toc::read(&file).map_err(|error| match error {
            TocError::Io(source) => io("reading")(source),
            TocError::Invalid(why) => invalid(name, why),
        })?;
        let mut contents = Self {
            blobs: blobs(&toc),
            file: Arc::new(file),
            toc,
            index: IndexFile::empty(),
            docker: Vec::new(),
            images: Vec::new(),
            made: BTreeMap::new(),
            name: name.to_owned(),
        };
        contents.read_lists(format)?;
        Ok(Some(contents))
    }

    fn read_lists(&mut self, format: &ArchiveFormat) -> Result<(), Error> {
        if let Some(bytes) = self.document(INDEX, LARGEST_LIST)? {
            self.index = IndexFile::parse(&bytes)
                .map_err(|why| self.invalid(format!("`{INDEX}`: {why}")))?;
        }
        let has = |name: &str| self.toc.find(name).is_some();
        match format {
            ArchiveFormat::Oci if has(INDEX) => {
                let named = self.index.named();
                self.images = named.map(|(descriptor, name)| Listed { descriptor, name }).collect();
                Ok(())
            }
            ArchiveFormat::Oci if has(DOCKER_MANIFEST) => {
                Err(self.invalid("it is an archive of docker, write `docker-archive:` before it"))
            }
            ArchiveFormat::Oci => Err(self.invalid(format!("it has no `{INDEX}`"))),
            ArchiveFormat::Docker(_) if has(DOCKER_MANIFEST) => {
                let bytes = self.document(DOCKER_MANIFEST, LARGEST_LIST)?.unwrap_or_default();
                self.docker = serde_json::from_slice(&bytes)
                    .map_err(|error| self.invalid(format!("`{DOCKER_MANIFEST}`: {error}")))?;
                docker::list(self)
            }
            ArchiveFormat::Docker(_) if has(INDEX) => {
                Err(self.invalid("it is an OCI archive, write `oci-archive:` before it"))
            }
            ArchiveFormat::Docker(_) if has(DOCKER_REPOSITORIES) => Err(self.invalid(
                "it has only the lists of docker before 1.10, save the image with a current docker",
            )),
            ArchiveFormat::Docker(_) => Err(self.invalid(format!("it has no `{DOCKER_MANIFEST}`"))),
        }
    }

    /// The bytes of a small file; none if there is no such file.
    pub(super) fn document(&self, path: &str, limit: u64) -> Result<Option<Bytes>, Error> {
        self.toc.find(path).map(|(_, extent)| self.bytes(path, extent, limit)).transpose()
    }

    pub(super) fn bytes(&self, what: &str, extent: Extent, limit: u64) -> Result<Bytes, Error> {
        if extent.size > limit {
            let why = format!("`{what}` has {} bytes, at most {limit} are read", extent.size);
            return Err(self.invalid(why));
        }
        read(&self.file, extent.offset, extent.size).map_err(|source| Error::Io {
            what: "reading",
            place: self.name.clone(),
            source,
        })
    }

    /// The manifest at `digest`: of the declared type, or as it looks; none for what is none.
    pub(super) fn manifest(
        &self,
        digest: &Digest,
        declared: Option<&MediaType>,
    ) -> Result<Option<Manifest>, Error> {
        if let Some(made) = self.made.get(digest) {
            return Ok(Some(made.clone()));
        }
        let Some(extent) = self.blobs.get(digest) else { return Ok(None) };
        if declared.is_none() && extent.size > LARGEST_MANIFEST {
            return Ok(None);
        }
        let what = format!("manifest {digest}");
        let bytes = self.bytes(&what, *extent, LARGEST_MANIFEST)?;
        let verdict = digest.verify(&bytes);
        verdict
            .map_err(|mismatch| Error::mismatch(format!("{what} of {}", self.name), mismatch))?;
        match declared {
            Some(declared) => Manifest::checked(declared.clone(), *digest, bytes).map(Some),
            None => match Manifest::guessed(*digest, bytes) {
                Ok(manifest) => Ok(Some(manifest)),
                Err(Error::Invalid { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// The manifest at `digest`, of the type that a list says, if one lists it.
    pub(super) fn listed_manifest(&self, digest: &Digest) -> Result<Option<Manifest>, Error> {
        let declared = self.index.with_digest(digest).map(|entry| entry.media_type.clone());
        self.manifest(digest, declared.as_ref())
    }

    /// Takes a manifest that the archive does not have as a file.
    pub(super) fn add_made(&mut self, manifest: Manifest) {
        self.made.insert(manifest.digest(), manifest);
    }

    pub(super) fn invalid(&self, why: impl Into<String>) -> Error {
        invalid(&self.name, why)
    }
}

fn invalid(name: &str, why: impl Into<String>) -> Error {
    Error::invalid(format!("`{name}`"), why)
}

/// Where a blob lies in a layout.
pub(super) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// The digest that a name claims.
pub(super) fn claimed(path: &str) -> Option<Digest> {
    let (word, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
    let algorithm = Algorithm::parse(word)?;
    format!("{algorithm}:{hex}").parse().ok()
}

fn blobs(toc: &Toc) -> BTreeMap<Digest, Extent> {
    toc.files().filter_map(|(name, extent)| Some((claimed(name)?, extent))).collect()
}
