//! Where things are: the clone, and the folders below it that commands write to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The clone this program was built from.
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// Finds the clone: two levels above this package's manifest.
    pub(crate) fn find() -> Result<Self> {
        // At run time, so that a clone that was moved after the build still works under cargo.
        let own = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = own.parent().context("xtask lies at the top of a file system")?.to_owned();
        if !root.join("wit").is_dir() {
            bail!("{} is no clone of windlass: it has no folder wit/", root.display());
        }
        Ok(Self { root })
    }

    /// The top of the clone.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What is built for the sandbox, apart from the host's own target folder: proc macros and
    /// build scripts are compiled by another rustc there.
    pub(crate) fn wasm_target(&self) -> PathBuf {
        self.root.join("target/wasm")
    }

    /// The finished plugins, one `NAME.wasm` each; host/wasm embeds what lies here.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.root.join("target/plugins")
    }

    /// The finished guests of the tests, one `NAME.wasm` each.
    pub(crate) fn guests(&self) -> PathBuf {
        self.root.join("target/guests")
    }
}
