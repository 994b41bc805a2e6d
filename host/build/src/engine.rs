//! What the builds of a process share: the store on disk, the executor of commands, the clock.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use crate::diff::{self, Change};
use crate::error::{Error, blocking};
use crate::exec::{Executor, Mapping, Setup};
use crate::layer::{Layer, LayerOptions, LayerReader, LayerWriter, Limits};
use crate::overlay::Rights;
use crate::snapshot::Snapshot;
use crate::store::{Prune, Store, Usage, Work};
use crate::unpack::{self, Unpacked};

/// What builds are told by the process that they run in.
#[derive(Clone)]
pub struct EngineOptions {
    /// Where what was built is kept, a directory of the user's own.
    pub root: PathBuf,
    /// How commands are run.
    pub setup: Setup,
    /// Seconds since 1970: for when something was used last, never for what is built.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// What commands with network see as `/etc/hosts` and `/etc/resolv.conf`.
    pub network_files: NetworkFiles,
}

/// Files of this machine that tell names.
#[derive(Clone, Debug)]
pub struct NetworkFiles {
    /// Usually `/etc/hosts`.
    pub hosts: PathBuf,
    /// Usually `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
}

/// Builds of one process. Cheap to clone; the disk is touched on first use.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    options: EngineOptions,
    executor: OnceLock<Arc<Executor>>,
    store: Mutex<Option<Store>>,
}

impl Engine {
    /// Builds with these options. Does nothing yet.
    pub fn new(options: EngineOptions) -> Self {
        Self(Arc::new(Inner { options, executor: OnceLock::new(), store: Mutex::new(None) }))
    }

    /// Builds that nobody may begin: for who describes itself.
    pub fn nowhere() -> Self {
        let nowhere = PathBuf::new();
        Self::new(EngineOptions {
            root: nowhere.clone(),
            setup: Setup { program: nowhere.clone(), newuidmap: None, newgidmap: None },
            clock: Arc::new(|| 0),
            network_files: NetworkFiles { hosts: nowhere.clone(), resolv_conf: nowhere },
        })
    }

    pub(crate) fn options(&self) -> &EngineOptions {
        &self.0.options
    }

    /// Who runs commands. Blocking: namespaces are tried out the first time.
    pub(crate) fn executor(&self) -> Result<Arc<Executor>, Error> {
        if let Some(known) = self.0.executor.get() {
            return Ok(Arc::clone(known));
        }
        let made = Executor::new(self.0.options.setup.clone())
            .map_err(|error| Error::from(report::Fault::from(error)))?;
        Ok(Arc::clone(self.0.executor.get_or_init(|| Arc::new(made))))
    }

    /// Whose files this process can write. Where commands cannot be run at all, files still can.
    pub(crate) fn rights(&self) -> Rights {
        match self.executor() {
            Ok(executor) => match executor.mapping() {
                Mapping::Root => Rights::root(),
                Mapping::Full { .. } => Rights::mapped(),
                Mapping::Single { .. } => Rights::single(),
            },
            Err(_) => Rights::single(),
        }
    }

    /// The store. Blocking. What other rights wrote cannot be used, so each kind has a directory.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        let mut slot = self.0.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*slot {
            return Ok(store.clone());
        }
        let clock = Arc::clone(&self.0.options.clock);
        let root = self.0.options.root.join(name_of(self.rights()));
        Ok(slot.insert(Store::open(&root, move || clock())?).clone())
    }

    /// Unpacks the layer in `blob` into an empty directory, over what is below it. Blocking.
    pub(crate) fn unpack(
        &self,
        blob: &Path,
        into: &Path,
        below: &Snapshot,
    ) -> Result<Unpacked, Error> {
        let file = fs_err::File::open(blob).map_err(Error::io("opening a layer"))?;
        Ok(unpack::unpack(LayerReader::new(file, Limits::default()), into, below, self.rights())?)
    }

    /// What a command changed over `below`, written as a layer; none if it changed nothing. The
    /// directory gets the times of the layer, so that it can be its snapshot. Blocking.
    pub(crate) fn layer_of_upper(
        &self,
        upper: &Path,
        below: &Snapshot,
        sink: fs_err::File,
        options: &LayerOptions,
    ) -> Result<Option<Layer>, Error> {
        let as_it_is = |uid, gid| (uid, gid);
        let changes = diff::diff(upper, below, self.rights(), &as_it_is, &|_| false)?;
        if changes.is_empty() {
            return Ok(None);
        }
        let mut writer = LayerWriter::new(sink, options);
        diff::write(&changes, &mut writer)?;
        let layer = writer.finish()?;
        if let Some(epoch) = options.source_date_epoch {
            clamp(&changes, epoch).map_err(Error::io("setting the times of a snapshot"))?;
        }
        Ok(Some(layer))
    }

    /// A directory for what is unpacked and gone at the end of the process. Blocking.
    ///
    /// # Errors
    /// What the disk says.
    pub fn scratch(&self) -> Result<PathBuf, Error> {
        let path = self.0.options.root.join("scratch");
        fs_err::create_dir_all(&path).map_err(Error::io("making a directory for a context"))?;
        Ok(path)
    }

    /// Where the store is.
    pub fn root(&self) -> &Path {
        &self.0.options.root
    }

    /// How much builds have left.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn usage(&self) -> Result<Vec<Usage>, Error> {
        let engine = self.clone();
        blocking(move || Ok(engine.store()?.usage()?)).await
    }

    /// Removes what `prune` says, but nothing that a running build uses; what that was.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn prune(&self, prune: Prune) -> Result<Vec<Usage>, Error> {
        let engine = self.clone();
        blocking(move || Ok(engine.store()?.prune(&prune)?)).await
    }

    /// Room for one build. Blocking. What builds that were killed left behind is removed first.
    pub(crate) fn work(&self) -> Result<Work, Error> {
        Ok(self.store()?.work()?)
    }
}

/// The directory of what was written with these rights: others cannot read it as it is meant.
fn name_of(rights: Rights) -> &'static str {
    if rights == Rights::root() {
        "root"
    } else if rights == Rights::mapped() {
        "mapped"
    } else {
        "single"
    }
}

/// Gives files the times that a layer says of them.
fn clamp(changes: &[Change], epoch: i64) -> io::Result<()> {
    for change in changes.iter().filter(|change| change.entry.mtime > epoch) {
        let time = Timespec { tv_sec: epoch, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        match rustix::fs::utimensat(CWD, &change.source, &times, AtFlags::SYMLINK_NOFOLLOW) {
            // A whiteout has no time that anybody sees.
            Ok(()) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
