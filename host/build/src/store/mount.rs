//! Directories of `RUN --mount=type=cache`: they outlive builds and are shared by them.

use std::path::PathBuf;

use oci::Digest;

use super::lock::{Lock, Mode};
use super::{Kind, StoreError, Work, io_error};

/// Builds that have one private directory each; more than that are not running at once.
const MOST_PRIVATE: u32 = 1000;

/// Letters of the name that is made of an id: no two are alike.
const NAME: usize = 32;

/// What happens when two builds want the same directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Both have it.
    Shared,
    /// The second gets another.
    Private,
    /// The second waits.
    Locked,
}

/// A directory, held until this is dropped.
pub struct CacheMount {
    /// Where it is. It does not exist if `is_new`: whoever runs the command knows its mode.
    pub path: PathBuf,
    /// Nobody used it before.
    pub is_new: bool,
    _lock: Lock,
}

impl Work {
    /// The directory that the builds of `id` share; none if it is [`Sharing::Locked`] and another
    /// build has it. Then the caller, who owns time, tries again.
    ///
    /// # Errors
    /// If it cannot be locked or written down.
    pub fn cache_mount(
        &self,
        id: &str,
        sharing: Sharing,
    ) -> Result<Option<CacheMount>, StoreError> {
        let digest = Digest::of(id.as_bytes()).hex();
        let name = digest.get(..NAME).unwrap_or(&digest);
        let (mode, most) = match sharing {
            Sharing::Shared => (Mode::Shared, 1),
            Sharing::Locked => (Mode::Exclusive, 1),
            Sharing::Private => (Mode::Exclusive, MOST_PRIVATE),
        };
        for number in 0..most {
            let name = match number {
                0 => name.to_owned(),
                number => format!("{name}-{number}"),
            };
            let path = self.store().path_of(Kind::Mount, &name);
            let file = path.with_extension("lock");
            let lock = Lock::take(&file, mode, true).map_err(io_error("lock", &file))?;
            if let Some(lock) = lock {
                self.note_mount(&name, id)?;
                let is_new = !path.exists();
                return Ok(Some(CacheMount { path, is_new, _lock: lock }));
            }
        }
        Ok(None)
    }

    fn note_mount(&self, name: &str, id: &str) -> Result<(), StoreError> {
        let now = self.store().now();
        self.store().with(|database| {
            let sql = "INSERT INTO item (kind, key, bytes, made, used, boot, value)
                VALUES (?1, ?2, 0, ?3, ?3, '', ?4)
                ON CONFLICT (kind, key) DO UPDATE SET used = MAX(used, ?3)";
            database.execute(sql, (Kind::Mount.number(), name, now, id.as_bytes())).map(drop)
        })
    }
}
