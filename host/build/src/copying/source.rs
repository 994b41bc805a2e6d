//! Where what is copied comes from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci::Digest;
use tempfile::NamedTempFile;

use super::{Terms, archive, selected};
use crate::context::{Context, DigestCache, GivenFile, Origin, Source};
use crate::engine::Engine;
use crate::error::Error;
use crate::filesystem::Filesystem;
use crate::key::KeyWriter;
use crate::snapshot::Snapshot;
use crate::store::Work;
use crate::tree::{Kind, MemoryTree, Metadata, Time, Tree};

/// Permission bits of what was fetched, as Docker has them.
const DOWNLOAD_MODE: u32 = 0o600;

/// One source of a copy.
pub enum CopySource {
    /// A path or pattern of a context.
    Context(Context, String),
    /// A path or pattern of a filesystem.
    Filesystem(Filesystem, String),
    /// A file that was fetched.
    Download(Download),
    /// A file that somebody brings.
    Given(GivenFile),
}

/// A file that was fetched.
pub struct Download {
    /// What it is called if it is put into a directory; none if its URL has no name.
    pub name: Option<String>,
    /// Its bytes.
    pub file: NamedTempFile,
    /// What they hash to.
    pub digest: Digest,
    /// When the server says that it was changed, in seconds since 1970.
    pub modified: Option<i64>,
}

/// A source that can be read.
pub(super) struct Opened {
    tree: Arc<dyn Tree>,
    context: Option<Context>,
    name: String,
    has_devices: bool,
    pattern: String,
    /// Whether it is the content of a tar.
    pub(super) is_unpacked: bool,
}

impl Opened {
    /// What was in the tar `name`.
    pub(super) fn unpacked(content: Snapshot, name: String) -> Self {
        Self {
            tree: Arc::new(content),
            context: None,
            name,
            has_devices: true,
            pattern: "/".to_owned(),
            is_unpacked: true,
        }
    }

    /// One of the things that its pattern names.
    ///
    /// # Errors
    /// [`Error::Invalid`] if its name is no text, as that of a source has to be.
    pub(super) fn only(&self, named: &Path) -> Result<Self, Error> {
        let Some(named) = named.to_str() else {
            return Err(Error::invalid(
                format!("`{}` is added beside a tar, and its name is no UTF-8", named.display()),
                "name the tars in an `ADD` of their own",
            ));
        };
        let mut pattern = String::with_capacity(named.len());
        for character in named.chars() {
            if matches!(character, '*' | '?' | '[' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        Ok(Self {
            tree: Arc::clone(&self.tree),
            context: self.context.clone(),
            name: self.name.clone(),
            has_devices: self.has_devices,
            pattern,
            is_unpacked: false,
        })
    }

    pub(super) fn source(&self) -> Source<'_> {
        let origin = match &self.context {
            Some(context) if !self.is_unpacked => context.origin(),
            Some(_) | None => Origin {
                tree: &*self.tree,
                ignore: None,
                name: &self.name,
                has_devices: self.has_devices,
            },
        };
        Source { origin, written: &self.pattern }
    }
}

impl Download {
    /// The last word of a URL's path.
    pub fn name_of(path: &str) -> Option<String> {
        let name = path.rsplit('/').next().filter(|name| !matches!(*name, "" | "." | ".."))?;
        Some(name.to_owned())
    }

    /// A date as HTTP has it, in seconds since 1970.
    pub fn parse_time(text: &str) -> Option<i64> {
        let time = httpdate::parse_http_date(text).ok()?;
        let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    }
}

/// What the sources of contexts select, in their order; none for other sources. Blocking.
pub(super) fn contents(
    sources: &[CopySource],
    terms: &Terms,
    digests: &mut DigestCache,
) -> Result<Vec<Option<Digest>>, Error> {
    let mut content = |source: &CopySource| match source {
        CopySource::Context(context, pattern) => {
            let source = Source { origin: context.origin(), written: pattern };
            selected(&source, terms, digests).map(Some)
        }
        CopySource::Filesystem(..) | CopySource::Download(_) | CopySource::Given(_) => Ok(None),
    };
    sources.iter().map(&mut content).collect()
}

/// Adds what the sources are to the key.
pub(super) fn add_to_key(
    sources: &[CopySource],
    contents: &[Option<Digest>],
    mut key: KeyWriter,
) -> Digest {
    for (source, content) in sources.iter().zip(contents) {
        key = match source {
            CopySource::Context(_, pattern) => {
                let content = content.map(|digest| digest.to_string());
                key.text("context", pattern).optional("content", content.as_deref())
            }
            CopySource::Filesystem(filesystem, pattern) => {
                key.text("filesystem", &filesystem.key()).text("pattern", pattern)
            }
            CopySource::Download(download) => key
                .optional("download", download.name.as_deref())
                .text("digest", &download.digest.to_string())
                .number("modified", download.modified.unwrap_or_default()),
            CopySource::Given(file) => key
                .text("given", &file.path)
                .bytes("content", &file.content)
                .number("mode", i64::from(file.mode)),
        };
    }
    key.finish()
}

/// Opens the sources; tars become what is in them, where that was asked for.
pub(super) fn open(
    sources: &[CopySource],
    snapshots: Vec<Option<Snapshot>>,
    terms: &Terms,
    engine: &Engine,
    work: &Work,
) -> Result<Vec<Opened>, Error> {
    let mut opened = Vec::new();
    for (source, snapshot) in sources.iter().zip(snapshots) {
        let plain = match source {
            CopySource::Context(context, pattern) => Opened {
                tree: Arc::new(MemoryTree::new()),
                context: Some(context.clone()),
                name: String::new(),
                has_devices: false,
                pattern: pattern.clone(),
                is_unpacked: false,
            },
            CopySource::Filesystem(filesystem, pattern) => Opened {
                tree: match snapshot {
                    Some(snapshot) => Arc::new(snapshot),
                    None => Arc::new(MemoryTree::new()),
                },
                context: None,
                name: filesystem.base().map_or_else(
                    || "an earlier stage".to_owned(),
                    |base| match filesystem.new_layers() {
                        0 => base.name.clone(),
                        _ => "an earlier stage".to_owned(),
                    },
                ),
                has_devices: true,
                pattern: pattern.clone(),
                is_unpacked: false,
            },
            CopySource::Download(download) => memory(&given(download, terms)?, terms),
            CopySource::Given(file) => memory(file, terms),
        };
        match terms.unpack {
            true => opened.extend(archive::unpack(plain, engine, work)?),
            false => opened.push(plain),
        }
    }
    Ok(opened)
}

/// One file in memory.
fn memory(file: &GivenFile, terms: &Terms) -> Opened {
    let mut metadata = Metadata::new(Kind::File, file.mode, file.content.len() as u64);
    metadata.mtime = Time { seconds: terms.now, nanos: 0 };
    let mut tree = MemoryTree::new();
    tree.insert(&PathBuf::from(&file.path), metadata, &file.content);
    Opened {
        tree: Arc::new(tree),
        context: None,
        name: "the Dockerfile".to_owned(),
        has_devices: false,
        pattern: file.path.clone(),
        is_unpacked: false,
    }
}

/// What was fetched, as a file; without a name of its own the destination has to be one.
fn given(download: &Download, terms: &Terms) -> Result<GivenFile, Error> {
    let last = terms.destination.rsplit('/').next().unwrap_or_default();
    let path = match (&download.name, last) {
        (Some(name), _) => name.clone(),
        (None, "") => {
            return Err(Error::invalid(
                "what is fetched has no name",
                "say what it is called: end the destination with a name",
            ));
        }
        (None, name) => name.to_owned(),
    };
    let content =
        fs_err::read(download.file.path()).map_err(Error::io("reading what was fetched"))?;
    Ok(GivenFile { path, content, mode: DOWNLOAD_MODE })
}
