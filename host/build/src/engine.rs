//! What the builds of a process share: the store on disk, the executor of commands, the clock.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use report::{Fault, Kind};

use crate::error::{Error, blocking};
use crate::exec::{Executor, Form, Mapping, Operation, Outcome, Setup, unpack};
use crate::layer::{Layer, LayerOptions};
use crate::overlay::Rights;
use crate::snapshot::Snapshot;
use crate::store::{Prune, Store, Usage, Work};
use crate::unpack::Unpacked;

/// The directory of the store of users who are root alone in their builds.
const SINGLE: &str = "single";

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
            .map_err(|error| Error::from(Fault::from(error)))?;
        Ok(Arc::clone(self.0.executor.get_or_init(|| Arc::new(made))))
    }

    /// How directories of layers are written. Where commands cannot be run at all, files still can.
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

    /// The executor, where files may belong to users that only its commands have.
    fn of_others(&self) -> Option<Arc<Executor>> {
        let executor = self.executor().ok()?;
        matches!(executor.mapping(), Mapping::Full { .. }).then_some(executor)
    }

    /// The store. Blocking. What was written with other rights, or for other users, cannot be used,
    /// so each kind has a directory.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        let mut slot = self.0.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*slot {
            return Ok(store.clone());
        }
        Ok(slot.insert(self.open(&self.name(), self.of_others())?).clone())
    }

    fn open(&self, name: &str, executor: Option<Arc<Executor>>) -> Result<Store, Error> {
        let clock = Arc::clone(&self.0.options.clock);
        let root = self.0.options.root.join(name);
        Ok(Store::open(&root, move || clock(), executor)?)
    }

    /// The directory of the store that can be used.
    fn name(&self) -> String {
        match self.executor().as_deref().map(Executor::mapping) {
            Ok(Mapping::Root) => "root".to_owned(),
            Ok(Mapping::Full { first: (user, group), .. }) => format!("mapped-{user}-{group}"),
            Ok(Mapping::Single { .. }) | Err(_) => SINGLE.to_owned(),
        }
    }

    /// All stores that can be pruned. A user who got more ids leaves one behind, and root may remove
    /// everybody's.
    fn stores(&self) -> Result<Vec<Store>, Error> {
        let mut stores = vec![self.store()?];
        let own = self.name();
        let is_root = own == "root";
        let folders = fs_err::read_dir(self.root()).map_err(Error::io("listing the stores"))?;
        for folder in folders.flatten() {
            let name = folder.file_name().to_string_lossy().into_owned();
            let is_ours = name == SINGLE || is_root && name.starts_with("mapped-");
            if name != own && is_ours {
                stores.push(self.open(&name, None)?);
            }
        }
        Ok(stores)
    }

    /// These directories of layers as one tree, the lowest first.
    pub(crate) fn snapshot(&self, layers: Vec<PathBuf>) -> Snapshot {
        Snapshot::read_by(self.of_others(), layers, self.rights())
    }

    /// Does file work as whoever may. Blocking.
    fn operate(&self, operation: &Operation) -> Result<Outcome, Error> {
        Ok(match self.of_others() {
            Some(executor) => executor.operate(operation)?,
            None => operation.perform()?,
        })
    }

    /// Unpacks the layer in `blob` into an empty directory, over what is below it. Blocking.
    pub(crate) fn unpack(
        &self,
        blob: &Path,
        into: &Path,
        below: &Snapshot,
    ) -> Result<Unpacked, Error> {
        self.unpack_file(blob, Form::Layer, into, below.layers())
    }

    /// Unpacks somebody's tar into a directory of the build's. Blocking.
    pub(crate) fn unpack_archive(
        &self,
        mut content: Box<dyn io::Read + Send>,
        work: &Work,
    ) -> Result<Snapshot, Error> {
        let directory = work.directory("archive")?;
        if self.of_others().is_none() {
            let nothing = Snapshot::new(Vec::new(), self.rights());
            unpack(content, Form::Archive, &directory, &nothing)?;
        } else {
            // Whoever unpacks it is another process.
            let copy = work.new_blob()?;
            let mut sink = copy.sink()?;
            io::copy(&mut content, &mut sink).map_err(Error::io("copying a tar"))?;
            self.unpack_file(copy.path(), Form::Archive, &directory, &[])?;
        }
        Ok(self.snapshot(vec![directory]))
    }

    fn unpack_file(
        &self,
        file: &Path,
        form: Form,
        into: &Path,
        below: &[PathBuf],
    ) -> Result<Unpacked, Error> {
        let (file, into, below) = (file.to_owned(), into.to_owned(), below.to_owned());
        let rights = self.rights();
        match self.operate(&Operation::Unpack { file, form, into, below, rights })? {
            Outcome::Unpacked(unpacked) => Ok(unpacked),
            Outcome::Done | Outcome::Packed(_) => Err(confused()),
        }
    }

    /// What a command changed over `below`, written into `file` as a layer; none if it changed
    /// nothing. The directory can be the layer's snapshot then. Blocking.
    pub(crate) fn pack(
        &self,
        upper: &Path,
        below: &Snapshot,
        file: &Path,
        options: &LayerOptions,
    ) -> Result<Option<Layer>, Error> {
        let (upper, file) = (upper.to_owned(), file.to_owned());
        let (below, options) = (below.layers().to_owned(), options.clone());
        let rights = self.rights();
        match self.operate(&Operation::Pack { upper, below, file, options, rights })? {
            Outcome::Packed(layer) => Ok(layer.map(|layer| *layer)),
            Outcome::Done | Outcome::Unpacked(_) => Err(confused()),
        }
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
        let usage = |store: &Store| Ok(store.usage()?);
        blocking(move || sum(&engine.stores()?, usage)).await
    }

    /// Removes what `prune` says, but nothing that a running build uses; what that was.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn prune(&self, prune: Prune) -> Result<Vec<Usage>, Error> {
        let engine = self.clone();
        let pruned = move |store: &Store| Ok(store.prune(&prune)?);
        blocking(move || sum(&engine.stores()?, pruned)).await
    }

    /// Room for one build. Blocking. What builds that were killed left behind is removed first.
    pub(crate) fn work(&self) -> Result<Work, Error> {
        Ok(self.store()?.work()?)
    }
}

/// What is said of stores, added up.
fn sum(
    stores: &[Store],
    said: impl Fn(&Store) -> Result<Vec<Usage>, Error>,
) -> Result<Vec<Usage>, Error> {
    let mut sums: Vec<Usage> = Vec::new();
    for store in stores {
        for usage in said(store)? {
            match sums.iter_mut().find(|sum| sum.kind == usage.kind) {
                Some(sum) => {
                    sum.count += usage.count;
                    sum.bytes += usage.bytes;
                    sum.last_used = sum.last_used.max(usage.last_used);
                }
                None => sums.push(usage),
            }
        }
    }
    Ok(sums)
}

/// Another outcome than that of the operation: a bug of ours.
fn confused() -> Error {
    Fault::new(Kind::Internal, "file work of a build came to something else").into()
}
