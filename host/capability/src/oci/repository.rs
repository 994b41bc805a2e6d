//! One repository that a step has opened.

use std::{collections::BTreeMap, sync::Arc};

use ::oci::{Digest, Manifest, MediaType, RequestTally, Selector, Store, Tag};
use bytes::Bytes;
use report::{Fault, Kind, Side, plural};

use super::{AccessFlags, invalid};
use crate::{
    call::{Call, Effect},
    grant::{RepositoryId, Want},
    voice::{ImageRole, Said, Use},
};

/// 4 MiB: no manifest is larger (distribution-spec, "Pushing Manifests").
const LARGEST_MANIFEST: usize = 4 * 1024 * 1024;

/// 4 MiB: configurations and small artifacts; layers are copied by the host.
const LARGEST_BLOB: usize = 4 * 1024 * 1024;

/// 1 MiB: what crosses into a guest in one call.
const LARGEST_READ: u32 = 1024 * 1024;

/// Tags in one call.
const MOST_TAGS: u32 = 1000;

/// Tags of one manifest that is written.
const MOST_NEW_TAGS: usize = 100;

/// What is pointed at, as text: image-spec, "Content Descriptors".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The media type.
    pub media_type: String,
    /// `sha256:…` or `sha512:…`.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// The artifact type, of a manifest that has one.
    pub artifact_type: Option<String>,
    /// `os/architecture[/variant]`, of an entry of an index.
    pub platform: Option<String>,
    /// Keys and values in the order in which they were written.
    pub annotations: Vec<(String, String)>,
}

/// A manifest as its bytes; its digest is over just these.
#[derive(Clone, Debug)]
pub struct ManifestBytes {
    /// Media type, digest and size.
    pub descriptor: Descriptor,
    /// At most 4 MiB.
    pub content: Bytes,
}

/// One repository of a registry, or one layout directory, opened for what a step is granted.
#[derive(Clone)]
pub struct Repository {
    pub(super) call: Call,
    pub(super) store: Arc<dyn Store>,
    pub(super) tally: Arc<RequestTally>,
    pub(super) id: RepositoryId,
    pub(super) place: ::oci::Place,
    pub(super) access: AccessFlags,
}

/// A blob that nothing is read of yet.
#[derive(Clone)]
pub struct Blob {
    call: Call,
    store: Arc<dyn Store>,
    descriptor: ::oci::Descriptor,
}

impl Repository {
    /// The place without tag and digest: `HOST[:PORT]/REPOSITORY`.
    pub fn name(&self) -> String {
        self.place.name()
    }

    /// The digest or tag of the reference that was opened; `latest` where it had none.
    pub fn selector(&self) -> String {
        self.place.selector().to_string()
    }

    /// How many requests were made through it, and through its copies, by HTTP method.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.tally.counts()
    }

    /// What `selector` (a tag or a digest) points at; none where there is nothing.
    ///
    /// # Errors
    /// `denied.oci`, `invalid.oci`, `oci.unauthorized`, `oci.transient`, …
    pub async fn resolve(&self, selector: &str) -> Result<Option<Descriptor>, Fault> {
        let used = self.begin("resolve", selector);
        let found = match self.selected(selector, Right::Pull) {
            Ok(selector) => self.store.resolve(&selector).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        let say = |found: &Option<::oci::Descriptor>| match found {
            Some(found) => Said::from((&found.digest, None)).images(
                ImageRole::Read,
                [self.name_of(selector)],
                found.digest,
            ),
            None => Said::from(("absent", None)),
        };
        Ok(self.call.voice.end(used, found, say)?.map(|found| Descriptor::from(&found)))
    }

    /// The manifest or index at `selector`, digest checked.
    ///
    /// # Errors
    /// `oci.not-found`, `oci.mismatch`, and as [`Self::resolve`].
    pub async fn get_manifest(&self, selector: &str) -> Result<ManifestBytes, Fault> {
        let used = self.begin("get manifest", selector);
        let manifest = match self.selected(selector, Right::Pull) {
            Ok(selector) => self.store.manifest(&selector).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        let names = vec![self.name_of(selector)];
        let say = |manifest: &Manifest| say_manifest(manifest, ImageRole::Read, names);
        let manifest = self.call.voice.end(used, manifest, say)?;
        let descriptor = Descriptor::from(&manifest.descriptor());
        Ok(ManifestBytes { descriptor, content: manifest.bytes().clone() })
    }

    /// Writes a manifest under its digest and under `tags`. What it refers to must be there.
    ///
    /// # Errors
    /// `denied.oci` (also in a dry run), `invalid.oci`, and as [`Self::resolve`].
    pub async fn put_manifest(
        &self,
        media_type: &str,
        content: Vec<u8>,
        tags: &[String],
    ) -> Result<Descriptor, Fault> {
        let used = self.begin("put manifest", &tags.join(" "));
        let written = self.put_manifest_checked(media_type, content, tags).await;
        let names = self.named(tags);
        let say = |manifest: &Manifest| say_manifest(manifest, ImageRole::Written, names);
        let manifest = self.call.voice.end(used, written, say)?;
        Ok(Descriptor::from(&manifest.descriptor()))
    }

    /// Opens a blob; nothing is transferred before it is read.
    ///
    /// # Errors
    /// `denied.oci`, `invalid.oci`.
    pub fn get_blob(&self, descriptor: &Descriptor) -> Result<Blob, Fault> {
        self.may(Right::Pull)?;
        let descriptor = ::oci::Descriptor::new(
            MediaType::new(&descriptor.media_type),
            parse_digest(&descriptor.digest)?,
            descriptor.size,
        );
        Ok(Blob { call: self.call.clone(), store: Arc::clone(&self.store), descriptor })
    }

    /// Writes a small blob, at most 4 MiB, and says what it has become.
    ///
    /// # Errors
    /// As [`Self::put_manifest`].
    pub async fn put_blob(&self, media_type: &str, content: Vec<u8>) -> Result<Descriptor, Fault> {
        let used = self.begin("put blob", "");
        let written = self.put_blob_checked(media_type, content).await;
        let say = |blob: &::oci::Descriptor| (blob.digest.to_string(), Some(blob.size));
        self.call.voice.end(used, written, say).map(|blob| Descriptor::from(&blob))
    }

    /// Up to `limit` tags (1 to 1000) in lexical order, behind `after`.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn tags(&self, after: Option<&str>, limit: u32) -> Result<Vec<String>, Fault> {
        let used = self.begin("tags", "");
        let tags = match self.may(Right::Pull) {
            Ok(()) if !(1..=MOST_TAGS).contains(&limit) => {
                Err(invalid(format!("{limit} tags at once cannot be had"))
                    .help(format!("ask for 1 to {MOST_TAGS}, and again behind the last")))
            }
            Ok(()) => self.store.tags(after, limit as usize).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        self.call.voice.end(used, tags, |tags| (plural(tags.len(), "tag"), None))
    }

    /// The manifests whose subject is `digest`, of one artifact type or of all.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn referrers(
        &self,
        digest: &str,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Fault> {
        let used = self.begin("referrers", digest);
        let artifact_type = artifact_type.map(MediaType::new);
        let found = match self.may(Right::Pull).and_then(|()| parse_digest(digest)) {
            Ok(digest) => {
                self.store.referrers(&digest, artifact_type.as_ref()).await.map_err(Fault::from)
            }
            Err(fault) => Err(fault),
        };
        let found =
            self.call.voice.end(used, found, |found| (plural(found.len(), "referrer"), None))?;
        Ok(found.iter().map(Descriptor::from).collect())
    }

    /// Deletes the manifest at `selector` if that is a digest, else the tag. False where there was
    /// nothing.
    ///
    /// # Errors
    /// As [`Self::put_manifest`].
    pub async fn delete(&self, selector: &str) -> Result<bool, Fault> {
        let used = self.begin("delete", selector);
        let deleted = match self.selected(selector, Right::Delete) {
            Ok(selector) => self.store.delete(&selector).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        let say = |was: &bool| (if *was { "deleted" } else { "absent" }.to_owned(), None);
        self.call.voice.end(used, deleted, say)
    }

    /// Whether it was opened for this, and for a change, whether changes are allowed.
    pub(super) fn may(&self, right: Right) -> Result<(), Fault> {
        let (is_open, want, effect, flag) = match right {
            Right::Pull => (self.access.pull, Want::Pull(&self.id), Effect::Look, "pull"),
            Right::Push => (self.access.push, Want::Push(&self.id), Effect::Change, "push"),
            Right::Delete => (self.access.delete, Want::Delete(&self.id), Effect::Change, "delete"),
        };
        if !is_open {
            let message = format!("`{}` was not opened for `{flag}`", self.id);
            return Err(Fault::new(Kind::Denied, message)
                .code("denied.oci")
                .side(Side::Plugin)
                .help(format!("the plugin opens it with `{flag}`")));
        }
        self.call.check(&want, effect)
    }

    /// Its store, for who reads it on the step's behalf.
    pub(crate) fn readable(&self) -> Result<Arc<dyn Store>, Fault> {
        self.may(Right::Pull)?;
        Ok(Arc::clone(&self.store))
    }

    /// Its store, for who writes it on the step's behalf.
    pub(crate) fn writable(&self) -> Result<Arc<dyn Store>, Fault> {
        self.may(Right::Pull)?;
        self.may(Right::Push)?;
        Ok(Arc::clone(&self.store))
    }

    /// What a build begins with: the store, what its reference selects, and the reference without
    /// digest, as people write it.
    pub(crate) fn as_base(&self) -> Result<(Arc<dyn Store>, Selector, String), Fault> {
        let store = self.readable()?;
        let tag = self.place.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        Ok((store, self.place.selector(), format!("{}{tag}", self.place.name())))
    }

    /// The reference of what `selector` selects, as people write it: without a digest.
    pub(crate) fn name_of(&self, selector: &str) -> String {
        match selector.contains(':') || selector.is_empty() {
            true => self.id.to_string(),
            false => format!("{}:{selector}", self.id),
        }
    }

    /// The references under `tags`; the repository where there are none.
    pub(crate) fn named(&self, tags: &[String]) -> Vec<String> {
        match tags {
            [] => vec![self.id.to_string()],
            tags => tags.iter().map(|tag| self.name_of(tag)).collect(),
        }
    }

    pub(crate) fn begin(&self, action: &str, selector: &str) -> Use {
        let target = match selector {
            "" => self.id.to_string(),
            digest if digest.contains(':') => format!("{}@{digest}", self.id),
            tag => format!("{}:{tag}", self.id),
        };
        Use::begin("oci", action, target)
    }

    fn selected(&self, selector: &str, right: Right) -> Result<Selector, Fault> {
        self.may(right)?;
        parse_selector(selector)
    }

    async fn put_manifest_checked(
        &self,
        media_type: &str,
        content: Vec<u8>,
        tags: &[String],
    ) -> Result<Manifest, Fault> {
        self.may(Right::Push)?;
        if content.len() > LARGEST_MANIFEST {
            return Err(invalid("a manifest has at most 4 MiB".to_owned()));
        }
        if tags.len() > MOST_NEW_TAGS {
            return Err(invalid(format!("a manifest gets at most {MOST_NEW_TAGS} tags at once")));
        }
        let tags = tags.iter().map(|tag| parse_tag(tag)).collect::<Result<Vec<Tag>, Fault>>()?;
        let manifest = Manifest::new(MediaType::new(media_type), Bytes::from(content))?;
        self.store.put_manifest(&manifest, &tags).await?;
        self.store.finish().await?;
        Ok(manifest)
    }

    async fn put_blob_checked(
        &self,
        media_type: &str,
        content: Vec<u8>,
    ) -> Result<::oci::Descriptor, Fault> {
        self.may(Right::Push)?;
        if content.len() > LARGEST_BLOB {
            return Err(invalid("a blob that a plugin writes has at most 4 MiB".to_owned())
                .help("copy larger blobs with their image"));
        }
        let blob = ::oci::Descriptor::of(MediaType::new(media_type), &content);
        self.store.push_blob(&blob, &Bytes::from(content), None).await?;
        Ok(blob)
    }
}

impl Blob {
    /// Digest, size, media type.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::from(&self.descriptor)
    }

    /// Bytes from `offset`, at most 1 MiB a call; fewer at the end.
    ///
    /// A blob that is read in one piece is verified against its digest; a part of one cannot be.
    ///
    /// # Errors
    /// `invalid.oci` for more than 1 MiB, `oci.not-found`, `oci.mismatch`, and as
    /// [`Repository::resolve`].
    pub async fn read(&self, offset: u64, length: u32) -> Result<Bytes, Fault> {
        let target = format!("{}@{}", self.store.name(), self.descriptor.digest);
        let used = Use::begin("oci", "read blob", target);
        let bytes = self.read_checked(offset, length).await;
        let say = |bytes: &Bytes| (self.descriptor.digest.to_string(), Some(bytes.len() as u64));
        self.call.voice.end(used, bytes, say)
    }

    async fn read_checked(&self, offset: u64, length: u32) -> Result<Bytes, Fault> {
        if length > LARGEST_READ {
            return Err(invalid("a read has at most 1 MiB".to_owned())
                .help("read from the next offset in a further call"));
        }
        let size = self.descriptor.size;
        let end = offset.saturating_add(length.into()).min(size);
        if offset >= end {
            return Ok(Bytes::new());
        }
        let wanted = end - offset;
        let stream = match wanted == size {
            true => {
                let place = self.store.name();
                self.store.blob(&self.descriptor).await?.verified(&self.descriptor, &place)
            }
            false => self.store.blob_range(&self.descriptor, offset..end).await?,
        };
        let bytes = stream.collect(wanted).await?;
        Ok(bytes)
    }
}

/// What a repository must have been opened for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Right {
    Pull,
    Push,
    Delete,
}

impl From<&::oci::Descriptor> for Descriptor {
    fn from(descriptor: &::oci::Descriptor) -> Self {
        let pairs = descriptor.annotations.iter();
        Self {
            media_type: descriptor.media_type.as_str().to_owned(),
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            artifact_type: descriptor.artifact_type.as_ref().map(|kind| kind.as_str().to_owned()),
            platform: descriptor.platform.as_ref().map(ToString::to_string),
            annotations: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }
}

pub(super) fn parse_selector(text: &str) -> Result<Selector, Fault> {
    text.parse().map_err(|error: ::oci::ReferenceError| {
        invalid(error.to_string()).help("write a tag such as `1.2`, or `sha256:…`")
    })
}

pub(super) fn parse_tag(text: &str) -> Result<Tag, Fault> {
    text.parse().map_err(|error: ::oci::ReferenceError| invalid(error.to_string()))
}

pub(super) fn parse_digest(text: &str) -> Result<Digest, Fault> {
    text.parse().map_err(|error: ::oci::DigestError| invalid(error.to_string()))
}

/// What is recorded of a manifest that was read or written under `names`.
fn say_manifest(manifest: &Manifest, role: ImageRole, names: Vec<String>) -> Said {
    let digest = manifest.digest();
    Said::from((digest, Some(manifest.bytes().len() as u64))).images(role, names, digest)
}
