//! Compiled code on disk.
//!
//! A file is native code that will be run, so the directory belongs to the user alone, and a file
//! counts only together with the digest beside it. Whatever is stale, damaged or strange is a miss;
//! files come into place by rename, so that any number of runners can share the directory.

use std::hash::{Hash as _, Hasher};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use report::{Fault, Kind};
use sha2::{Digest as _, Sha256};

/// 1 GiB: some thirty Python plugins, or six thousand in Rust.
const TOTAL_BYTES: u64 = 1 << 30;

/// In such a directory everybody may rename only what is theirs, as in /tmp.
const STICKY: u32 = 0o1000;

/// A directory of compiled code, private to its user.
#[derive(Clone, Debug)]
pub struct CompileCache {
    directory: PathBuf,
}

impl CompileCache {
    /// Opens, or makes, the cache in `directory`.
    ///
    /// # Errors
    /// [`Kind::Denied`] if others can write there: their code would run as ours.
    pub fn open(directory: &Path) -> Result<Self, Fault> {
        let refuse = |why: String| {
            Fault::new(
                Kind::Denied,
                format!("the compile cache {} cannot be used", directory.display()),
            )
            .cause(why)
            .help("remove it, or name another directory with WINDLASS_CACHE_DIR")
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| refuse(error.to_string()))?;
        let us = rustix::process::geteuid().as_raw();
        let metadata = fs_err::metadata(directory).map_err(|error| refuse(error.to_string()))?;
        if metadata.uid() != us {
            return Err(refuse(format!("it belongs to user {}, and we are {us}", metadata.uid())));
        }
        if let Some(mode) = open_to_others(&metadata) {
            return Err(refuse(format!("others may write in it (mode {mode:o})")));
        }
        // Whoever may write one level up could put another directory in its place.
        let parent = directory.join("..");
        let metadata = fs_err::metadata(&parent).map_err(|error| refuse(error.to_string()))?;
        if let Some(mode) = open_to_others(&metadata).filter(|mode| mode & STICKY == 0) {
            return Err(refuse(format!(
                "others may write in the directory above it (mode {mode:o})"
            )));
        }
        Ok(Self { directory: directory.to_owned() })
    }

    /// The file with the code of the component `digest` for `engine`, its bytes checked; none if it
    /// is not there or not whole.
    pub(crate) fn verified(&self, digest: &str, engine: &wasmtime::Engine) -> Option<PathBuf> {
        let path = self.path(digest, engine);
        let expected = fs_err::read(sum_of(&path)).ok()?;
        let code = fs_err::read(&path).ok()?;
        if Sha256::digest(&code).as_slice() != expected {
            tracing::debug!(path = %path.display(), "damaged code, compiling anew");
            return None;
        }
        Some(path)
    }

    /// Keeps `code` for the component `digest`.
    pub(crate) fn put(
        &self,
        digest: &str,
        engine: &wasmtime::Engine,
        code: &[u8],
    ) -> Result<(), Fault> {
        let path = self.path(digest, engine);
        let written = self
            .write(&path, code)
            .and_then(|()| self.write(&sum_of(&path), Sha256::digest(code).as_slice()));
        self.evict();
        written.map_err(|error| {
            Fault::new(Kind::Failed, "the compiled plugin could not be kept").cause(error)
        })
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    }

    fn path(&self, digest: &str, engine: &wasmtime::Engine) -> PathBuf {
        let mut compatibility = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        let compatibility = hex::encode(compatibility.0.finalize());
        let component = digest.replace(':', "-");
        self.directory
            .join(format!("{component}.{}.cwasm", compatibility.get(..16).unwrap_or_default()))
    }

    /// Removes the oldest files until the rest fits. Failing to is harmless.
    fn evict(&self) {
        let Ok(entries) = fs_err::read_dir(&self.directory) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= TOTAL_BYTES {
                break;
            }
            if fs_err::remove_file(path).is_ok() {
                total -= size;
            }
        }
    }
}

/// The mode of a directory in which others may write.
fn open_to_others(metadata: &std::fs::Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o7777;
    (mode & 0o022 != 0).then_some(mode)
}

fn sum_of(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

/// A hasher that is the same in every process, which the standard one does not promise.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn engine() -> wasmtime::Engine {
        wasmtime::Engine::default()
    }

    #[test]
    fn damaged_or_partial_code_is_a_miss() {
        let directory = tempfile::tempdir().unwrap();
        let cache = CompileCache::open(directory.path()).unwrap();
        let engine = engine();
        assert_eq!(cache.verified("sha256:00", &engine), None);
        cache.put("sha256:00", &engine, b"code").unwrap();
        let path = cache.verified("sha256:00", &engine).unwrap();
        fs_err::write(&path, b"c0de").unwrap();
        assert_eq!(cache.verified("sha256:00", &engine), None);
        cache.put("sha256:00", &engine, b"code").unwrap();
        fs_err::remove_file(sum_of(&path)).unwrap();
        assert_eq!(cache.verified("sha256:00", &engine), None);
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let shared = directory.path().join("shared");
        fs_err::create_dir_all(&shared).unwrap();
        fs_err::set_permissions(&shared, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(CompileCache::open(&shared).unwrap_err().kind, Kind::Denied);
    }
}
