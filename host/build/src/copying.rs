//! Copies: `COPY` and `ADD` of a Dockerfile, and files that are put on a base.
//!
//! What the result depends on is known before any image is unpacked: the content of the files of the
//! context, the chains of the filesystems, what was asked for. So a copy that was made before costs a
//! look at each file, and nothing else.

mod archive;
mod source;

use std::io;
use std::path::Path;
use std::sync::Arc;

use oci::Digest;

use crate::context::{
    Content, Destination, DigestCache, Mode, Picks, Selection, Source, fingerprint, select,
};
use crate::engine::Engine;
use crate::error::{Error, blocking};
use crate::filesystem::Filesystem;
use crate::ignore::Ignore;
use crate::key::KeyWriter;
use crate::layer::{Layer, LayerOptions, LayerWriter, with_parents};
use crate::names::ids_of;
use crate::snapshot::Snapshot;
use crate::store::Work;
use crate::tree::{Kind, Tree};
use crate::{Entry, EntryKind};
use source::Opened;
pub use source::{CopySource, Download};

/// Permission bits of directories that are made.
const DIRECTORY_MODE: u32 = 0o755;

/// What is copied into a filesystem, and how.
pub struct CopyRequest {
    /// Absolute or relative to `directory`; a directory if it ends with `/`.
    pub destination: String,
    /// Where a relative destination begins.
    pub directory: String,
    /// What, in order.
    pub sources: Vec<CopySource>,
    /// Tars are unpacked at the destination.
    pub unpack: bool,
    /// `USER[:GROUP]`; root if nothing is said.
    pub owner: Option<String>,
    /// Octal or symbolic.
    pub mode: Option<String>,
    /// Keep the folders in which a source lies.
    pub parents: bool,
    /// Patterns to leave out.
    pub exclude: Vec<String>,
    /// Do not depend on what is below.
    pub link: bool,
}

/// A request understood, without its sources.
struct Terms {
    destination: String,
    directory: String,
    unpack: bool,
    owner: Option<String>,
    mode: Option<Mode>,
    parents: bool,
    exclude: Option<Ignore>,
    link: bool,
    /// The time of what is made: seconds since 1970.
    now: i64,
}

impl Filesystem {
    /// It with what `request` copies, and whether that was known.
    ///
    /// # Errors
    /// What is wrong with a source or the destination; what a disk says.
    pub async fn copy(&self, request: CopyRequest) -> Result<(Self, bool), Error> {
        let work = self.builder.work().await?;
        let key = self.copy_key(&request);
        let (sources, terms) = self.terms(request)?;
        let (sources, terms, contents) = {
            let (work, builder) = (Arc::clone(&work), self.builder.clone());
            blocking(move || {
                let contents = builder
                    .with_digests(&work, |digests| source::contents(&sources, &terms, digests))?;
                Ok((sources, terms, contents))
            })
            .await?
        };
        let key = source::add_to_key(&sources, &contents, key);
        if let Some(known) = self.builder.remembered(&key, self).await? {
            return Ok((known, true));
        }
        let below = match terms.link {
            true => None,
            false => Some(self.snapshot().await?),
        };
        let mut snapshots = Vec::new();
        for source in &sources {
            snapshots.push(match source {
                CopySource::Filesystem(filesystem, _) => Some(filesystem.snapshot().await?),
                CopySource::Context(..) | CopySource::Download(_) | CopySource::Given(_) => None,
            });
        }
        let (builder, options) = (self.builder.clone(), self.builder.layer_options());
        let layer = blocking(move || {
            let engine = builder.engine();
            let opened = source::open(&sources, snapshots, &terms, engine, &work)?;
            let layer = layer_of(engine, &work, &options, &opened, &terms, below.as_ref())?;
            let again = builder
                .with_digests(&work, |digests| source::contents(&sources, &terms, digests))?;
            // The key says what was seen before; what was copied must be just that.
            match again == contents {
                true => Ok(layer),
                false => Err(Error::invalid(
                    "a file of the context changed while it was copied",
                    "build again when nothing writes to it",
                )),
            }
        })
        .await?;
        self.builder.remember(&key, layer.as_ref()).await?;
        let made = layer.map_or_else(|| self.clone(), |layer| self.with_layer(layer, None));
        Ok((made, false))
    }

    /// It with a directory, if it is not there.
    ///
    /// # Errors
    /// [`Error::Invalid`] where something else is in its place.
    pub async fn make_directory(&self, path: &str, owner: Option<&str>) -> Result<Self, Error> {
        let key = self
            .layer_key("directory")
            .text("below", &self.key())
            .text("path", path)
            .optional("owner", owner)
            .finish();
        if let Some(known) = self.builder.remembered(&key, self).await? {
            return Ok(known);
        }
        let (below, work) = (self.snapshot().await?, self.builder.work().await?);
        let options = self.builder.layer_options();
        let (path, owner) = (format!("{path}/"), owner.map(str::to_owned));
        let layer = blocking(move || {
            let destination = Destination::read(&path, "/", Some(&below))?;
            if destination.path == destination.existing {
                return Ok(None);
            }
            let owner = owner.map(|owner| ids_of(&below, &owner)).transpose()?.unwrap_or((0, 0));
            let now = options.source_date_epoch.unwrap_or_default();
            let made = |path: &Path| directory(path, owner, now);
            // All that is missing belongs to the owner, as with `mkdir -p`.
            let missing = destination.path.ancestors();
            let missing = missing.take_while(|at| **at != *destination.existing);
            let entries: Vec<Entry> = missing.map(made).collect();
            write(&work, &options, entries, &below, |_, _| Ok(None)).map(Some)
        })
        .await?;
        self.builder.remember(&key, layer.as_ref()).await?;
        Ok(layer.map_or_else(|| self.clone(), |layer| self.with_layer(layer, None)))
    }

    /// A filesystem with nothing but what `pattern` of a context names, and where in it that is: to
    /// be mounted into a command.
    ///
    /// # Errors
    /// What is wrong with the context.
    pub async fn of_context(
        &self,
        context: &crate::context::Context,
        path: &str,
    ) -> Result<(Self, String), Error> {
        let request = CopyRequest {
            destination: "/".to_owned(),
            directory: "/".to_owned(),
            sources: vec![CopySource::Context(context.clone(), path.to_owned())],
            unpack: false,
            owner: None,
            mode: None,
            parents: false,
            exclude: Vec::new(),
            link: true,
        };
        let (files, _) = self.builder.scratch().copy(request).await?;
        // A file is in the root under its own name; a directory is the root.
        let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let snapshot = files.snapshot().await?;
        let is_whole = matches!(name.as_str(), "" | "." | "..");
        let is_file = !is_whole
            && context
                .tree()
                .metadata(Path::new(path.trim_matches('/')))
                .is_ok_and(|found| !found.is_dir())
            && snapshot.metadata(Path::new(&name)).is_ok_and(|found| found.kind == Kind::File);
        Ok((files, if is_file { name } else { String::new() }))
    }

    /// A file, at most 4 MiB, links followed; none where there is none.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no file, or too large.
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        const LARGEST: u64 = 4 * 1024 * 1024;
        let (snapshot, path) = (self.snapshot().await?, path.trim_start_matches('/').to_owned());
        blocking(move || {
            let failed = |error: io::Error| {
                let is_nothing =
                    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind());
                match is_nothing {
                    true => Ok(None),
                    false => Err(Error::io("reading a file of the image")(error)),
                }
            };
            let real = match crate::tree::resolve(&snapshot, Path::new(&path)) {
                Ok(real) => real,
                Err(error) => return failed(error),
            };
            let found = match snapshot.metadata(&real) {
                Ok(found) => found,
                Err(error) => return failed(error),
            };
            if found.kind != Kind::File || found.size > LARGEST {
                let what = format!("`/{path}` is no file of at most 4 MiB");
                return Err(Error::invalid(what, "name a smaller file"));
            }
            let mut bytes = Vec::new();
            let mut file = snapshot.open(&real).map_err(Error::io("opening a file"))?;
            io::Read::read_to_end(&mut file, &mut bytes).map_err(Error::io("reading a file"))?;
            Ok(Some(bytes))
        })
        .await
    }

    /// A key with what every layer depends on.
    fn layer_key(&self, kind: &str) -> KeyWriter {
        let settings = self.builder.settings();
        KeyWriter::new(kind)
            .number("epoch", settings.source_date_epoch)
            .text("compression", &format!("{:?}", settings.compression))
    }

    /// All that the result depends on but its sources.
    fn copy_key(&self, request: &CopyRequest) -> KeyWriter {
        let below = if request.link { "any".to_owned() } else { self.key() };
        self.layer_key("copy")
            .text("below", &below)
            .text("destination", &request.destination)
            .text("directory", &request.directory)
            .number("unpack", i64::from(request.unpack))
            .optional("owner", request.owner.as_deref())
            .optional("mode", request.mode.as_deref())
            .number("parents", i64::from(request.parents))
            .list("exclude", &request.exclude)
    }

    fn terms(&self, request: CopyRequest) -> Result<(Vec<CopySource>, Terms), Error> {
        let mode = match &request.mode {
            Some(text) => Some(Mode::parse(text).map_err(|bad| {
                Error::invalid(bad.to_string(), "write it as `755` or `u=rwX,go=rX`")
            })?),
            None => None,
        };
        let exclude = match request.exclude.is_empty() {
            true => None,
            false => Some(
                Ignore::from_patterns("--exclude", request.exclude.iter().map(String::as_str))
                    .map_err(|bad| Error::invalid(bad.to_string(), "mend the pattern"))?,
            ),
        };
        let terms = Terms {
            destination: request.destination,
            directory: request.directory,
            unpack: request.unpack,
            owner: request.owner,
            mode,
            parents: request.parents,
            exclude,
            link: request.link,
            now: self.builder.settings().source_date_epoch,
        };
        Ok((request.sources, terms))
    }
}

impl Terms {
    fn selection<'a>(
        &'a self,
        destination: &'a Destination,
        image: Option<&'a dyn Tree>,
        owner: Option<(u32, u32)>,
    ) -> Selection<'a> {
        Selection {
            destination,
            image,
            parents: self.parents,
            exclude: self.exclude.as_ref(),
            owner,
            mode: self.mode.as_ref(),
            now: self.now,
        }
    }
}

/// Copies, into the store of builds.
fn layer_of(
    engine: &Engine,
    work: &Work,
    options: &LayerOptions,
    opened: &[Opened],
    terms: &Terms,
    below: Option<&Snapshot>,
) -> Result<Option<Layer>, Error> {
    let image = below.map(|below| below as &dyn Tree);
    let empty = Snapshot::new(Vec::new(), engine.rights());
    let names = below.unwrap_or(&empty);
    let owner = terms.owner.as_deref().map(|owner| ids_of(names, owner)).transpose()?;
    let destination = Destination::read(&terms.destination, &terms.directory, image)?;
    let sources: Vec<Source<'_>> = opened.iter().map(Opened::source).collect();
    let picks = match opened.iter().any(|opened| opened.is_unpacked) {
        // What was unpacked goes below the destination, which is a directory then.
        true => {
            let directory = Destination { is_directory: true, ..destination };
            select(&sources, &terms.selection(&directory, image, owner))?
        }
        false => select(&sources, &terms.selection(&destination, image, owner))?,
    };
    let Picks { entries, .. } = picks;
    if entries.is_empty() {
        return Ok(None);
    }
    let mut contents = std::collections::BTreeMap::new();
    let mut plain = Vec::with_capacity(entries.len());
    for picked in entries {
        if let Content::File { source, path, .. } = picked.content {
            contents.insert(picked.entry.path.clone(), (source, path));
        }
        plain.push(picked.entry);
    }
    let open = |entry: &Entry, _: &Snapshot| -> io::Result<Option<Box<dyn io::Read + Send>>> {
        match contents.get(&entry.path).and_then(|(at, path)| Some((sources.get(*at)?, path))) {
            Some((source, path)) => source.origin.tree.open(path).map(Some),
            None => Ok(None),
        }
    };
    write(work, options, plain, names, open).map(Some)
}

/// Writes entries as a layer, with the directories that they lie in as the image has them: who
/// unpacks a layer by itself would make them up.
fn write(
    work: &Work,
    options: &LayerOptions,
    entries: Vec<Entry>,
    below: &Snapshot,
    open: impl Fn(&Entry, &Snapshot) -> io::Result<Option<Box<dyn io::Read + Send>>>,
) -> Result<Layer, Error> {
    let entries = with_parents(entries, |path| known_directory(below, path));
    let new = work.new_blob()?;
    let mut writer = LayerWriter::new(new.sink()?, options);
    for entry in &entries {
        match (&entry.kind, open(entry, below)) {
            (EntryKind::File { .. }, Ok(Some(mut content))) => writer.add(entry, &mut content)?,
            (_, Ok(_)) => writer.add_empty(entry)?,
            (_, Err(error)) => return Err(Error::io("opening a file that is copied")(error)),
        }
    }
    let layer = writer.finish()?;
    work.publish_blob(new, &layer.descriptor.digest, layer.descriptor.size)?;
    Ok(layer)
}

/// A directory as the image has it.
fn known_directory(below: &Snapshot, path: &Path) -> Option<Entry> {
    let found = below.metadata(path).ok().filter(|found| found.kind == Kind::Directory)?;
    Some(Entry {
        path: path.to_owned(),
        kind: EntryKind::Directory,
        mode: found.mode,
        uid: found.uid,
        gid: found.gid,
        mtime: found.mtime.seconds,
        xattrs: below.xattrs(path).unwrap_or_default(),
    })
}

fn directory(path: &Path, (uid, gid): (u32, u32), mtime: i64) -> Entry {
    Entry {
        path: path.to_owned(),
        kind: EntryKind::Directory,
        mode: DIRECTORY_MODE,
        uid,
        gid,
        mtime,
        xattrs: std::collections::BTreeMap::new(),
    }
}

/// A digest of what a pattern of a context selects, whatever it is copied into.
fn selected(
    source: &Source<'_>,
    terms: &Terms,
    digests: &mut DigestCache,
) -> Result<Digest, Error> {
    let destination = Destination::read(&terms.destination, &terms.directory, None)?;
    // Several sources need a directory; whether this one alone does is said later.
    let destination = Destination { is_directory: true, ..destination };
    let sources = std::slice::from_ref(source);
    let picks = select(sources, &terms.selection(&destination, None, None))?;
    Ok(fingerprint(&picks, sources, digests)?)
}
