//! Where uploads under way are remembered, so that a run that was killed goes on where it was.
//!
//! What is finished the registry itself knows: a request for each blob and manifest finds it. What
//! it does not tell is the location of an upload under way, and that is all that is kept here: one
//! small file for each, written whole and put in place by a rename, so no end of this process leaves
//! half of one, and several processes do not disturb each other. A location may carry a signature:
//! the folder and its files are the user's alone, and a location is never logged. No hash is kept;
//! who goes on reads the source again from its start and proves all of it.
//!
//! Never: a copy that fails because the journal cannot be written.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{Digest, RegistryHost, RepositoryName};

/// From this size on, an upload is worth it: it goes up in chunks from the start, 64 requests a
/// gigabyte, since a registry can only go on with what a finished request left there. A smaller
/// blob keeps its two requests.
const WORTH_IT: u64 = 1024 * 1024 * 1024;

/// Registries forget an upload after a week at most (docker-registry's default).
const LONGEST_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// No more of an entry is read; signed addresses have some kilobytes.
const LARGEST_ENTRY: u64 = 64 * 1024;

/// The folder with uploads under way.
#[derive(Clone, Debug)]
pub struct Journal {
    folder: PathBuf,
    least: u64,
}

/// Which upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    registry: String,
    repository: String,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    version: u32,
    upload: Key,
    location: String,
}

/// Of the entries; a reader leaves others alone.
const VERSION: u32 = 1;

impl Key {
    pub(super) fn new(
        registry: &RegistryHost,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Self {
        Self {
            registry: registry.to_string(),
            repository: repository.to_string(),
            digest: digest.to_string(),
        }
    }
}

impl Journal {
    /// In `folder`, which is made when it is first needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), least: WORTH_IT }
    }

    /// For blobs of at least so many bytes, instead of 1 GiB.
    #[must_use]
    pub fn for_blobs_from(self, bytes: u64) -> Self {
        Self { least: bytes, ..self }
    }

    pub(super) fn is_for(&self, size: u64) -> bool {
        size >= self.least
    }

    /// The location of an upload under way.
    pub(super) async fn find(&self, key: &Key) -> Option<Url> {
        let (path, key) = (self.path(key), key.clone());
        blocking("read", move || match read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            // What somebody else wrote there, or half of it, is as good as nothing.
            Ok(bytes) => Ok(serde_json::from_slice::<Entry>(&bytes)
                .ok()
                .filter(|entry| entry.version == VERSION && entry.upload == key)
                .and_then(|entry| Url::parse(&entry.location).ok())),
        })
        .await
        .flatten()
    }

    /// Remembers where an upload is; those that are too old for any registry are swept out.
    pub(super) async fn note(&self, key: &Key, location: &Url) {
        let (folder, path) = (self.folder.clone(), self.path(key));
        let entry = Entry { version: VERSION, upload: key.clone(), location: location.to_string() };
        blocking("write", move || {
            make(&folder)?;
            // A temporary file is readable by its owner alone.
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(&serde_json::to_vec(&entry)?)?;
            let written = file.as_file().metadata()?.modified()?;
            file.persist(&path).map_err(|failed| failed.error)?;
            sweep(&folder, written)
        })
        .await;
    }

    /// The upload is over.
    pub(super) async fn forget(&self, key: &Key) {
        let path = self.path(key);
        blocking("clean", move || match fs_err::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
        .await;
    }

    fn path(&self, key: &Key) -> PathBuf {
        let text = format!("{}/{}@{}", key.registry, key.repository, key.digest);
        self.folder.join(format!("{}.json", hex::encode(Sha256::digest(text.as_bytes()))))
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(LARGEST_ENTRY).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn make(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Removes what was written too long before `now`, the time of a file that was just written: both
/// are the file system's own.
fn sweep(folder: &Path, now: std::time::SystemTime) -> std::io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let age = entry.metadata().and_then(|meta| meta.modified()).ok();
        let age = age.and_then(|then| now.duration_since(then).ok());
        if age.is_some_and(|age| age > LONGEST_LIFE) {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            tracing::warn!(what, %error, "the journal of uploads cannot be used");
            None
        }
        Err(error) => {
            tracing::warn!(what, %error, "the journal of uploads was interrupted");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(repository: &str) -> Key {
        Key::new(
            &"r.example".parse().unwrap(),
            &repository.parse().unwrap(),
            &Digest::of(repository.as_bytes()),
        )
    }

    #[tokio::test]
    async fn a_location_is_found_until_it_is_forgotten_and_nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("deep/uploads");
        let journal = Journal::new(&folder);
        assert_eq!(journal.find(&key("a")).await, None);
        journal.forget(&key("a")).await;
        let location = Url::parse("https://r.example/up?state=secret").unwrap();
        journal.note(&key("a"), &location).await;
        assert_eq!(journal.find(&key("a")).await, Some(location.clone()));
        assert_eq!(journal.find(&key("b")).await, None);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&journal.path(&key("a")))), (0o700, 0o600));
        // Half an entry, or somebody else's, is none.
        let whole = fs_err::read(journal.path(&key("a"))).unwrap();
        for wrong in [&whole[..whole.len() / 2], b"", b"{}", b"\xff"] {
            fs_err::write(journal.path(&key("a")), wrong).unwrap();
            assert_eq!(journal.find(&key("a")).await, None);
        }
        fs_err::write(journal.path(&key("b")), &whole).unwrap();
        assert_eq!(journal.find(&key("b")).await, None);
        journal.forget(&key("b")).await;
        assert!(!journal.path(&key("b")).exists());
    }

    #[tokio::test]
    async fn what_is_too_old_is_swept_out() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(directory.path());
        let location = Url::parse("https://r.example/up").unwrap();
        journal.note(&key("old"), &location).await;
        journal.note(&key("young"), &location).await;
        let age = |repository: &str, age: Duration| {
            let file =
                std::fs::File::options().write(true).open(journal.path(&key(repository))).unwrap();
            let then = file.metadata().unwrap().modified().unwrap() - age;
            file.set_modified(then).unwrap();
        };
        age("old", LONGEST_LIFE + Duration::from_secs(60));
        age("young", LONGEST_LIFE / 2);
        journal.note(&key("new"), &location).await;
        assert_eq!(journal.find(&key("old")).await, None);
        assert_eq!(journal.find(&key("young")).await, Some(location));
    }
}
