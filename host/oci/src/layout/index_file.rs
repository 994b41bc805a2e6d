//! `index.json` of a layout: its entries, with everything that others wrote there left alone.

use serde::{Deserialize as _, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Descriptor, Digest, Manifest, Tag};

/// The annotation that holds the tag (image-spec, "Pre-Defined Annotation Keys").
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The document, and its entries as far as they can be read.
#[derive(Clone)]
pub(crate) struct IndexFile {
    document: Map<String, Value>,
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    /// `None`: something that we do not understand, and keep.
    descriptor: Option<Descriptor>,
    written: Value,
}

/// The document as it is written: a large one must not be copied for it.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    others: &'a Map<String, Value>,
    manifests: &'a [Entry],
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl IndexFile {
    pub(crate) fn empty() -> Self {
        let mut document = Map::new();
        document.insert("schemaVersion".to_owned(), 2.into());
        document.insert("mediaType".to_owned(), crate::MediaType::OCI_INDEX.as_str().into());
        Self { document, entries: Vec::new() }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut document: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let entries = match document.remove("manifests") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err("`manifests` is not an array".to_owned()),
        };
        let entry =
            |written: Value| Entry { descriptor: Descriptor::deserialize(&written).ok(), written };
        Ok(Self { document, entries: entries.into_iter().map(entry).collect() })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let document = Document { others: &self.document, manifests: &self.entries };
        serde_json::to_vec(&document).expect("JSON that was read can be written")
    }

    pub(crate) fn descriptors(&self) -> impl Iterator<Item = Descriptor> {
        self.entries.iter().filter_map(|entry| entry.descriptor.clone())
    }

    /// What it lists, with the tag where there is one.
    pub(crate) fn named(&self) -> impl Iterator<Item = (Descriptor, Option<String>)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((entry.descriptor.clone()?, entry.tag().map(str::to_owned))))
    }

    /// Each entry, and whether it has a tag.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Descriptor, bool)> {
        self.entries.iter().filter_map(|entry| {
            entry.descriptor.as_ref().map(|descriptor| (descriptor, entry.tag().is_some()))
        })
    }

    pub(crate) fn tags(&self) -> Vec<String> {
        self.entries.iter().filter_map(|entry| entry.tag().map(str::to_owned)).collect()
    }

    pub(crate) fn tagged(&self, tag: &Tag) -> Option<&Descriptor> {
        let entry = self.entries.iter().find(|entry| entry.tag() == Some(tag.as_str()));
        entry.and_then(|entry| entry.descriptor.as_ref())
    }

    pub(crate) fn with_digest(&self, digest: &Digest) -> Option<&Descriptor> {
        let descriptors = self.entries.iter().filter_map(|entry| entry.descriptor.as_ref());
        descriptors.into_iter().find(|descriptor| descriptor.digest == *digest)
    }

    /// Lists `manifest` under `tags`, or without a tag if it is not listed yet.
    pub(crate) fn put(&mut self, manifest: &Manifest, tags: &[Tag]) {
        let digest = manifest.digest();
        self.entries.retain(|entry| {
            let moves = entry.tag().is_some_and(|tag| tags.iter().any(|new| new.as_str() == tag));
            // With a tag it need not be listed without one too.
            let bare = !tags.is_empty() && entry.tag().is_none() && entry.points_at(&digest);
            !moves && !bare
        });
        let mut descriptor = manifest.descriptor();
        for tag in tags {
            descriptor.annotations.set(REF_NAME, tag.as_str());
            self.entries.push(Entry::new(&descriptor));
        }
        if tags.is_empty() && self.with_digest(&digest).is_none() {
            self.entries.push(Entry::new(&descriptor));
        }
    }

    /// Lists `manifest` by `descriptors`, or plainly if there are none. What has the same annotation
    /// `key` as one of them goes.
    pub(crate) fn replace(&mut self, key: &str, manifest: &Manifest, descriptors: &[Descriptor]) {
        let value = |descriptor: &Descriptor| descriptor.annotations.get(key).map(str::to_owned);
        let new: Vec<_> = descriptors.iter().map(value).collect();
        let digest = manifest.digest();
        self.entries.retain(|entry| {
            let old = entry.descriptor.as_ref().and_then(value);
            let bare = old.is_none() && !new.is_empty() && entry.points_at(&digest);
            !bare && (old.is_none() || !new.contains(&old))
        });
        match descriptors.is_empty() {
            true => self.put(manifest, &[]),
            false => self.entries.extend(descriptors.iter().map(Entry::new)),
        }
    }

    /// Takes off entries without a tag that `goes` says need not be listed; whether there were any.
    pub(crate) fn drop_bare(&mut self, goes: impl Fn(&Descriptor) -> bool) -> bool {
        let before = self.entries.len();
        self.entries
            .retain(|entry| entry.tag().is_some() || !entry.descriptor.as_ref().is_some_and(&goes));
        self.entries.len() != before
    }

    /// Takes a tag off; what it pointed at.
    pub(crate) fn remove_tag(&mut self, tag: &Tag) -> Option<Descriptor> {
        let at = self.entries.iter().position(|entry| entry.tag() == Some(tag.as_str()))?;
        self.entries.remove(at).descriptor
    }

    /// Takes off a manifest with all its tags.
    pub(crate) fn remove_digest(&mut self, digest: &Digest) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| !entry.points_at(digest));
        self.entries.len() != before
    }
}

impl Entry {
    fn new(descriptor: &Descriptor) -> Self {
        let written = serde_json::to_value(descriptor).expect("a descriptor has only string keys");
        Self { descriptor: Some(descriptor.clone()), written }
    }

    fn tag(&self) -> Option<&str> {
        self.descriptor.as_ref()?.annotations.get(REF_NAME)
    }

    fn points_at(&self, digest: &Digest) -> bool {
        self.descriptor.as_ref().is_some_and(|descriptor| descriptor.digest == *digest)
    }
}
