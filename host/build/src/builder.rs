//! One build for one platform: its settings, and what its filesystems share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use oci::{Digest, Platform, Selector, Store};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OnceCell;

use crate::base;
use crate::context::DigestCache;
use crate::engine::Engine;
use crate::error::{Error, blocking};
use crate::filesystem::{Filesystem, StackLayer};
use crate::layer::{Compression, Layer, LayerOptions};
use crate::remote_cache;
use crate::store::{Record, Work};
use crate::tree::Time;

/// 1980-01-01: the first day that a zip archive can say, and the same for everybody.
pub const USUAL_EPOCH: i64 = 315_532_800;

/// The document of the store in which it is kept what files hash to.
const DIGESTS: &str = "digests";

/// Threads for the compression of one layer.
const THREADS: usize = 2;

/// How an image is built.
#[derive(Clone)]
pub struct Settings {
    /// For what it is.
    pub platform: Platform,
    /// Do everything anew.
    pub no_cache: bool,
    /// Later times become this one; seconds since 1970.
    pub source_date_epoch: i64,
    /// How new layers are compressed.
    pub compression: Compression,
    /// Where else to look for what was built.
    pub cache_from: Vec<Arc<dyn Store>>,
    /// Where else to keep it.
    pub cache_to: Vec<Arc<dyn Store>>,
}

/// One build. Cheap to clone.
#[derive(Clone)]
pub struct Builder(Arc<Inner>);

struct Inner {
    engine: Engine,
    settings: Mutex<Settings>,
    work: OnceCell<Arc<Work>>,
    /// What files hash to, as far as they were seen; read when it is needed.
    digests: Mutex<Option<DigestCache>>,
}

impl Builder {
    /// A build for `platform`. Touches nothing yet.
    pub fn new(engine: Engine, platform: Platform) -> Self {
        let settings = Settings {
            platform,
            no_cache: false,
            source_date_epoch: USUAL_EPOCH,
            compression: Compression::default(),
            cache_from: Vec::new(),
            cache_to: Vec::new(),
        };
        let settings = Mutex::new(settings);
        let (work, digests) = (OnceCell::new(), Mutex::new(None));
        Self(Arc::new(Inner { engine, settings, work, digests }))
    }

    /// Its settings, to be read or changed.
    pub fn settings(&self) -> MutexGuard<'_, Settings> {
        self.0.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) async fn work(&self) -> Result<Arc<Work>, Error> {
        let make = || async {
            let engine = self.0.engine.clone();
            blocking(move || Ok(Arc::new(engine.work()?))).await
        };
        self.0.work.get_or_try_init(make).await.cloned()
    }

    /// Lends what files hash to; what is new is kept for the next build. Blocking.
    pub(crate) fn with_digests<T>(
        &self,
        work: &Work,
        look: impl FnOnce(&mut DigestCache) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut slot = self.0.digests.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = match &mut *slot {
            Some(cache) => cache,
            empty @ None => {
                let seconds = (self.0.engine.options().clock)();
                let now = Time { seconds, nanos: 0 };
                empty.insert(DigestCache::read(work.document(DIGESTS)?.as_deref(), now))
            }
        };
        let found = look(cache);
        if let Some(bytes) = cache.write() {
            work.put_document(DIGESTS, &bytes)?;
        }
        found
    }

    /// An empty filesystem.
    pub fn scratch(&self) -> Filesystem {
        Filesystem::scratch(self.clone())
    }

    /// The filesystem of an image for `platform`, or the build's own. `name` is what it is called.
    ///
    /// # Errors
    /// What the store says; [`Error::Invalid`] for what is no image.
    pub async fn base(
        &self,
        store: Arc<dyn Store>,
        selector: &Selector,
        name: String,
        platform: Option<&Platform>,
    ) -> Result<Filesystem, Error> {
        let own = self.settings().platform.clone();
        let base = base::resolve(store, selector, name, platform.unwrap_or(&own)).await?;
        Ok(Filesystem::with_base(self.clone(), base))
    }

    pub(crate) fn layer_options(&self) -> LayerOptions {
        let settings = self.settings();
        LayerOptions {
            compression: settings.compression,
            source_date_epoch: Some(settings.source_date_epoch),
            threads: THREADS,
        }
    }

    /// What the step with this key gave, here or elsewhere; `below` with it on top.
    pub(crate) async fn remembered(
        &self,
        key: &Digest,
        below: &Filesystem,
    ) -> Result<Option<Filesystem>, Error> {
        let (is_off, elsewhere) = {
            let settings = self.settings();
            (settings.no_cache, settings.cache_from.clone())
        };
        if is_off {
            return Ok(None);
        }
        let work = self.work().await?;
        let found = {
            let (work, key) = (Arc::clone(&work), *key);
            blocking(move || Ok(work.record(&key)?)).await?
        };
        if let Some(record) = found {
            return Ok(Some(match record.layer {
                Some(layer) => below.with_layer(layer, None),
                None => below.clone(),
            }));
        }
        for store in elsewhere {
            let Some(layer) = remote_cache::look_up(&store, key).await? else { continue };
            return Ok(Some(match layer {
                Some(layer) => below.with_layer(layer, Some(store)),
                None => below.clone(),
            }));
        }
        Ok(None)
    }

    /// Remembers what a step gave: `layer`, whose bytes are in the store, or nothing new.
    pub(crate) async fn remember(&self, key: &Digest, layer: Option<&Layer>) -> Result<(), Error> {
        let work = self.work().await?;
        {
            let (work, key, layer) = (Arc::clone(&work), *key, layer.cloned());
            let record = Record { layer, extra: serde_json::Value::Null };
            blocking(move || Ok(work.put_record(&key, &record)?)).await?;
        }
        let elsewhere = self.settings().cache_to.clone();
        for store in elsewhere {
            let blob = match layer {
                Some(layer) => Some((layer, self.own_blob(layer).await?)),
                None => None,
            };
            remote_cache::keep(&*store, key, blob).await?;
        }
        Ok(())
    }

    async fn own_blob(&self, layer: &Layer) -> Result<PathBuf, Error> {
        let (work, digest) = (self.work().await?, layer.descriptor.digest);
        let found = blocking(move || Ok(work.blob(&digest)?)).await?;
        found.ok_or_else(|| {
            Error::invalid(
                format!("layer {} is gone from the build store", layer.descriptor.digest),
                "run the pipeline again",
            )
        })
    }

    /// The bytes of a layer in the store; fetched and checked if they are not there.
    pub(crate) async fn fetch(&self, layer: &StackLayer) -> Result<PathBuf, Error> {
        let work = self.work().await?;
        let descriptor = &layer.layer.descriptor;
        let found = {
            let (work, digest) = (Arc::clone(&work), descriptor.digest);
            blocking(move || Ok(work.blob(&digest)?)).await?
        };
        let Some(from) = (match found {
            Some(path) => return Ok(path),
            None => layer.from.as_ref(),
        }) else {
            return self.own_blob(&layer.layer).await;
        };
        let mut stream = from.blob(descriptor).await?.verified(descriptor, &from.name());
        let new = {
            let work = Arc::clone(&work);
            blocking(move || Ok(work.new_blob()?)).await?
        };
        let what = "writing a layer into the build store";
        let (file, _) = new.sink()?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        while let Some(chunk) = stream.next().await {
            file.write_all(&chunk?).await.map_err(Error::io(what))?;
        }
        file.flush().await.map_err(Error::io(what))?;
        let (digest, size) = (descriptor.digest, descriptor.size);
        blocking(move || Ok(work.publish_blob(new, &digest, size)?)).await
    }
}
