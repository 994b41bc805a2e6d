//! Where secrets of a pipeline come from.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use report::{Fault, Kind, Secret};

use super::LocalStore;

/// 64 KiB: a large private key with its chain; anything more is the wrong file.
const LARGEST_FILE: u64 = 64 * 1024;

/// A place that has secrets. Blocking: it is asked on a thread of its own.
///
/// Contract (tested for every backend): a value that is there is returned byte for byte, the final
/// line end of a file excepted; what is not there, is empty or is refused is [`Kind::Unauthorized`]
/// with what to do; no fault shows a value.
pub trait SecretProvider: Send + Sync {
    /// The secret that the place knows under `name`.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`], code `unauthorized.secrets`.
    fn read(&self, name: &str) -> Result<Secret, Fault>;
}

/// How one environment variable is looked up; the only room that knows the environment hands it in.
pub type Lookup = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// `from = "env"`: the value as it is, line ends included.
pub struct EnvProvider(Lookup);

/// `from = "file"`: paths relative to the pipeline file.
///
/// One final line end is not part of the secret: editors and `echo` add it.
pub struct FileProvider(PathBuf);

impl EnvProvider {
    /// Reads variables through `lookup`.
    pub fn new(lookup: Lookup) -> Self {
        Self(lookup)
    }
}

impl FileProvider {
    /// Reads files; a relative path starts at `base`.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self(base.into())
    }
}

impl SecretProvider for EnvProvider {
    fn read(&self, name: &str) -> Result<Secret, Fault> {
        let value = (self.0)(name).ok_or_else(|| {
            unavailable(format!("the environment variable `{name}` is not set"))
                .help(format!("set it for the run: `{name}=… windlass run …`"))
        })?;
        let value = value.into_string().map_err(|_| {
            unavailable(format!("the environment variable `{name}` is no UTF-8 text"))
                .help("put the bytes into a file and use `from = \"file\"`")
        })?;
        non_empty(Secret::new(value), || {
            format!("the environment variable `{name}` is set and empty")
        })
    }
}

impl SecretProvider for FileProvider {
    fn read(&self, name: &str) -> Result<Secret, Fault> {
        let path = self.0.join(name);
        let refuse = |error: std::io::Error| {
            unavailable(format!("the secret file `{name}` cannot be read"))
                .caused_by(&error)
                .help(format!("write the secret into `{}` with mode 0600", path.display()))
        };
        let size = fs_err::metadata(&path).map_err(refuse)?.len();
        if size > LARGEST_FILE {
            return Err(unavailable(format!("the secret file `{name}` has more than 64 KiB"))
                .help("name the file that holds the secret alone"));
        }
        let bytes = fs_err::read(&path).map_err(refuse)?;
        let value = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        let secret = Secret::new(value);
        drop(zeroize::Zeroizing::new(bytes));
        non_empty(secret, || format!("the secret file `{name}` is empty"))
    }
}

impl SecretProvider for LocalStore {
    fn read(&self, name: &str) -> Result<Secret, Fault> {
        let secret = self.get(name)?.ok_or_else(|| {
            unavailable(format!("the local store has no secret `{name}`"))
                .help(format!("store it: `windlass secret set {name}`"))
        })?;
        non_empty(secret, || format!("the secret `{name}` of the local store is empty"))
    }
}

/// A file that others than its owner may read; the cli warns about it.
///
/// False where the system has no such modes, or the file cannot be looked at.
pub fn is_readable_by_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

pub(super) fn unavailable(message: String) -> Fault {
    Fault::new(Kind::Unauthorized, message).code("unauthorized.secrets")
}

fn non_empty(secret: Secret, message: impl FnOnce() -> String) -> Result<Secret, Fault> {
    match secret.is_empty() {
        true => Err(unavailable(message()).help("an empty secret is almost always a mistake")),
        false => Ok(secret),
    }
}
