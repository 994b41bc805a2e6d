//! The engine: components in, plugins out.

use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use bytes::Bytes;
use report::{Fault, Kind};
use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, Linker};

use crate::bindings::StepPre;
use crate::builtin::BUILTINS;
use crate::cache::CompileCache;
use crate::plugin::Plugin;
use crate::state::StepState;
use crate::{config, fault, host, limits};

/// Loads components and runs them. Made once, cheap to clone.
#[derive(Clone)]
pub struct Engine {
    engine: wasmtime::Engine,
    linker: Arc<Linker<StepState>>,
    cache: Option<CompileCache>,
    ticker: Arc<Once>,
}

/// A plugin, and what it cost to get it.
pub struct Loaded {
    /// The plugin.
    pub plugin: Arc<Plugin>,
    /// How long its compilation took; none if the code was there already.
    pub compiled: Option<Duration>,
}

impl Engine {
    /// An engine that keeps compiled code in `cache`, or nowhere.
    ///
    /// # Errors
    /// [`Kind::Internal`] if this machine cannot run what wasmtime makes.
    pub fn new(cache: Option<CompileCache>) -> Result<Self, Fault> {
        let broken = |error: wasmtime::Error| {
            Fault::new(Kind::Internal, "the component engine did not start")
                .cause(format!("{error:#}"))
        };
        let engine = wasmtime::Engine::new(&config::config()).map_err(broken)?;
        let mut linker = Linker::new(&engine);
        host::add_to_linker(&mut linker).map_err(broken)?;
        Ok(Self { engine, linker: Arc::new(linker), cache, ticker: Arc::new(Once::new()) })
    }

    /// The plugin that comes with the program as `name`; none if there is no such.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub async fn builtin(&self, name: &str) -> Option<Result<Loaded, Fault>> {
        let builtin = BUILTINS.iter().find(|builtin| builtin.name == name)?;
        let component = match self.deserialize(builtin.code) {
            Ok(component) => component,
            Err(error) => {
                let problem = Fault::new(
                    Kind::Internal,
                    format!("the builtin plugin `{name}` does not load"),
                );
                return Some(Err(problem.cause(format!("{error:#}"))));
            }
        };
        Some(self.plugin(&component, builtin.digest.to_owned(), name, None).await)
    }

    /// Makes a plugin of the component in `bytes`; `label` names it in errors.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the bytes are no component, one for another world, or too large;
    /// [`Kind::Trap`] if it cannot say what it is.
    pub async fn load(&self, bytes: Bytes, label: &str) -> Result<Loaded, Fault> {
        check_header(&bytes, label)?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
        let (component, compiled) = match self.cached(&digest) {
            Some(component) => (component, None),
            None => self.compile(bytes, &digest, label).await?,
        };
        self.plugin(&component, digest, label, compiled).await
    }

    async fn compile(
        &self,
        bytes: Bytes,
        digest: &str,
        label: &str,
    ) -> Result<(Component, Option<Duration>), Fault> {
        let start = Instant::now();
        let engine = self.engine.clone();
        // Compiling takes whole cores for up to half a minute.
        let compiled = tokio::task::spawn_blocking(move || Component::new(&engine, &bytes)).await;
        let component = match compiled {
            Ok(Ok(component)) => component,
            Ok(Err(error)) => return Err(fault::not_loadable(&error, label)),
            Err(panic) => {
                let problem =
                    Fault::new(Kind::Internal, format!("compiling `{label}` broke the compiler"));
                return Err(problem.cause(panic));
            }
        };
        if let Some(cache) = &self.cache
            && let Err(error) = component
                .serialize()
                .map_err(|error| Fault::new(Kind::Internal, format!("{error:#}")))
                .and_then(|code| cache.put(digest, &self.engine, &code))
        {
            // A full disk costs time at the next start and nothing now.
            tracing::warn!(%error, label, "the compiled plugin is not kept");
        }
        Ok((component, Some(start.elapsed())))
    }

    fn cached(&self, digest: &str) -> Option<Component> {
        let path = self.cache.as_ref()?.verified(digest, &self.engine)?;
        #[expect(unsafe_code, reason = "native code is loaded; the cache vouches for it")]
        // SAFETY: the file was written by `CompileCache::put` with the output of
        // `Component::serialize`, lies in a directory that only this user can write, and its bytes
        // were just checked against the digest stored beside it. Files there are replaced by
        // rename, never modified.
        let component = unsafe { Component::deserialize_file(&self.engine, &path) };
        match component {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::debug!(%error, path = %path.display(), "stale code, compiling anew");
                None
            }
        }
    }

    fn deserialize(&self, code: &'static [u8]) -> wasmtime::Result<Component> {
        #[expect(unsafe_code, reason = "native code is loaded; it is part of this program")]
        // SAFETY: `code` is the output of `Engine::precompile_component`, embedded by `build.rs`.
        unsafe {
            Component::deserialize(&self.engine, code)
        }
    }

    async fn plugin(
        &self,
        component: &Component,
        digest: String,
        label: &str,
        compiled: Option<Duration>,
    ) -> Result<Loaded, Fault> {
        self.tick();
        let pre = self
            .linker
            .instantiate_pre(component)
            .and_then(StepPre::new)
            .map_err(|error| fault::wrong_world(component, &self.engine, &error, label))?;
        let plugin = Plugin::describe(pre, digest, label).await?;
        Ok(Loaded { plugin: Arc::new(plugin), compiled })
    }

    /// Starts the clock at which guests give way; once, and only when there is a guest.
    fn tick(&self) {
        self.ticker.call_once(|| {
            let engine = self.engine.weak();
            let clock = std::thread::Builder::new().name("guest-clock".to_owned()).spawn(move || {
                while let Some(engine) = engine.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(limits::TICK);
                }
            });
            if let Err(error) = clock {
                tracing::error!(%error, "no thread for the guests' clock: a spinning guest cannot be stopped");
            }
        });
    }
}

/// Says what the bytes are before the compiler does, in words that help.
fn check_header(bytes: &[u8], label: &str) -> Result<(), Fault> {
    const MAGIC: &[u8] = b"\0asm";
    const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
    const CORE_MODULE: &[u8] = &[1, 0, 0, 0];
    let invalid = |message: String| Fault::new(Kind::Invalid, message).code("invalid.component");
    if bytes.len() > limits::COMPONENT_BYTES {
        let limit = limits::COMPONENT_BYTES >> 20;
        return Err(invalid(format!("`{label}` is larger than {limit} MiB"))
            .help("strip it (`wasm-tools strip`), or keep data out of it"));
    }
    match (bytes.get(..4), bytes.get(4..8)) {
        (Some(MAGIC), Some(COMPONENT)) => Ok(()),
        (Some(MAGIC), Some(CORE_MODULE)) => Err(invalid(format!(
            "`{label}` is a core module, not a component"
        ))
        .help(
            "build it with `--target wasm32-wasip2`, or wrap it with `wasm-tools component new`",
        )),
        (Some(MAGIC), Some(version)) => {
            Err(invalid(format!("`{label}` has the WebAssembly version {}", hex::encode(version)))
                .help("build it with a tool for the component model (version 0d000100)"))
        }
        _ => Err(invalid(format!("`{label}` is not WebAssembly"))
            .help("a plugin is a component built for `wasm32-wasip2`")),
    }
}
