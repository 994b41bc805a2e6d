//! Who may come in: an htpasswd file with bcrypt hashes, and HTTP's basic authentication
//! (RFC 7617).
//!
//! A password costs a deliberately slow hash, so what was right once is remembered for a while, by
//! a keyed hash that is worth nothing outside of this process. Attempts are held a few at a time,
//! which bounds both the guesses per second and the processors that guesses can occupy. Whether a
//! name exists is not told, neither in words nor by how long the answer takes.
//!
//! The file is read again when it changes. One that cannot be used any more leaves the users as
//! they were, so that an editor that is caught half-way locks nobody out.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::answer::{Refusal, Sought, sought};
use super::setup::SetupError;
use crate::layout::blocking;
use crate::{Algorithm, Digest, Hasher};

const CHALLENGE: &str = r#"Basic realm="windlass registry", charset="UTF-8""#;

/// Slow hashes at a time. With the usual cost of 10, that is some forty guesses per second.
const AT_ONCE: usize = 2;

/// Attempts that may wait for one of them; the next is sent away.
const MOST_WAITING: usize = 64;

/// How long a password that was right is taken without the slow hash. A user who is taken off the
/// list, or whose password changes, is refused at once all the same.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// Users whose passwords are remembered.
const MOST_REMEMBERED: usize = 1000;

/// No list of users is larger: at 80 bytes each it would be 50,000.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// bcrypt's cost doubles the time with each step; this one takes two seconds already.
const HIGHEST_COST: u32 = 15;

/// The users of a registry.
pub struct Users {
    path: PathBuf,
    loaded: Mutex<Loaded>,
    /// Makes [`Users::proof`]s worthless elsewhere.
    key: [u8; 32],
    remembered: Mutex<BTreeMap<Digest, Instant>>,
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

type Hashes = Arc<BTreeMap<String, String>>;

struct Loaded {
    stamp: Stamp,
    hashes: Hashes,
}

/// What differs when a file was written or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl Users {
    /// Reads the file. Blocks for a moment.
    ///
    /// # Errors
    /// It cannot be read, or a line is no `NAME:BCRYPT-HASH`.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, SetupError> {
        let path = path.into();
        let loaded = Loaded::read(&path)?;
        Ok(Self {
            path,
            loaded: Mutex::new(loaded),
            key: rand::random(),
            remembered: Mutex::default(),
            running: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Semaphore::new(AT_ONCE + MOST_WAITING),
        })
    }

    /// Whether the request comes from one of them.
    pub(super) async fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some((name, password)) = credentials(headers) else {
            return Err(refused("log in with a name and a password"));
        };
        let wrong = || refused("the name or the password is wrong");
        let hashes = self.current().await?;
        let own = hashes.get(&name);
        // Somebody unknown is held against somebody else's hash, and is wrong whatever comes out.
        let hash = own.or_else(|| hashes.values().next()).ok_or_else(wrong)?;
        let proof = self.proof(&name, &password, hash);
        if own.is_some() && self.remembers(&proof) {
            return Ok(());
        }
        let matches = self.hold_against(password, hash.clone()).await?;
        if own.is_none() || !matches {
            return Err(wrong());
        }
        self.remember(proof);
        Ok(())
    }

    /// The users as the file says now.
    async fn current(&self) -> Result<Hashes, Refusal> {
        let (path, before) = {
            let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            (self.path.clone(), loaded.stamp.clone())
        };
        let read = blocking(move || match Stamp::of(&path) {
            Ok(stamp) if stamp == before => Ok(None),
            Ok(_) => Ok(Some(Loaded::read(&path))),
            Err(error) => Ok(Some(Err(SetupError::Unreadable(error)))),
        });
        let read = read.await.map_err(sought(Sought::Repository))?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            None => {}
            Some(Ok(new)) => *loaded = new,
            Some(Err(error)) => tracing::warn!(%error, "the users stay as they were"),
        }
        Ok(Arc::clone(&loaded.hashes))
    }

    /// The slow part.
    async fn hold_against(
        &self,
        password: Zeroizing<Vec<u8>>,
        hash: String,
    ) -> Result<bool, Refusal> {
        let Ok(_waiting) = self.waiting.try_acquire() else {
            let message = "too many log in at the same time";
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message)
                .with(RETRY_AFTER, "1".to_owned()));
        };
        let running = Arc::clone(&self.running).acquire_owned().await;
        let matches = blocking(move || {
            // Given back when the work is done, not when whoever asked has gone.
            let _running = running;
            // What bcrypt cannot hash, such as a zero byte, is nobody's password.
            Ok(bcrypt::verify(&*password, &hash).unwrap_or(false))
        });
        matches.await.map_err(sought(Sought::Repository))
    }

    /// What is remembered of a name and password that were right for a hash.
    fn proof(&self, name: &str, password: &[u8], hash: &str) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(&self.key);
        for part in [name.as_bytes(), hash.as_bytes(), password] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finish()
    }

    fn remembers(&self, proof: &Digest) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(proof).is_some_and(|since| since.elapsed() < REMEMBERED)
    }

    fn remember(&self, proof: Digest) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, since| since.elapsed() < REMEMBERED);
        }
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(proof, Instant::now());
    }
}

fn refused(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
        .with(WWW_AUTHENTICATE, CHALLENGE.to_owned())
}

/// Name and password of `Authorization: Basic …`.
fn credentials(headers: &HeaderMap) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (name, password) = decoded.split_at_checked(colon)?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some((name, Zeroizing::new(password.get(1..)?.to_vec())))
}

impl Loaded {
    fn read(path: &Path) -> Result<Self, SetupError> {
        // Before the content: what changes in between is read again.
        let stamp = Stamp::of(path).map_err(SetupError::Unreadable)?;
        let file = fs_err::File::open(path).map_err(SetupError::Unreadable)?;
        let mut text = String::new();
        file.take(LARGEST_FILE).read_to_string(&mut text).map_err(SetupError::Unreadable)?;
        let mut hashes = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: &str| SetupError::User {
                path: path.to_owned(),
                line: number,
                why: why.to_owned(),
            };
            let (name, hash) = line.split_once(':').ok_or_else(|| wrong("it has no colon"))?;
            let parts = hash.parse::<bcrypt::HashParts>();
            let parts = parts.map_err(|_| wrong("its password is no bcrypt hash"))?;
            if parts.get_cost() > HIGHEST_COST {
                return Err(wrong("the cost of its hash is more than 15"));
            }
            hashes.insert(name.to_owned(), hash.to_owned());
        }
        Ok(Self { stamp, hashes: Arc::new(hashes) })
    }
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let facts = fs_err::metadata(path)?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&facts);
        #[cfg(not(unix))]
        let inode = 0;
        Ok(Self { modified: facts.modified().ok(), size: facts.len(), inode })
    }
}
