//! The runner's own store of secrets: one file each, in age format.
//!
//! A directory with mode 0700 holds `NAME.age` for each secret, encrypted to one X25519 identity;
//! `age -d -i IDENTITY NAME.age` reads them too. The identity is a file of its own (mode 0600), made
//! when the first secret is set. Whoever has both has the secrets: the store keeps them out of
//! backups of the one without the other, out of `grep`, and out of repositories.
//!
//! Every change is a rename of a file that is complete and on disk. Nothing is ever half there.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use age::x25519::Identity;
use report::{Fault, Kind, Secret};
use zeroize::Zeroizing;

use super::provider::unavailable;
use crate::grant::is_secret_name;

/// What the files of the store end with.
const SUFFIX: &str = ".age";

/// 1 MiB: a secret is at most 64 KiB, and age adds little; a larger file is not ours.
const LARGEST_FILE: u64 = 1024 * 1024;

/// 64 KiB, as for a secret from a file.
const LARGEST_SECRET: usize = 64 * 1024;

/// The line of an identity file that counts, as `age-keygen` writes it.
const IDENTITY_PREFIX: &str = "AGE-SECRET-KEY-1";

/// Secrets on this machine, encrypted at rest. Blocking. Clones share the place.
#[derive(Clone, Debug)]
pub struct LocalStore {
    paths: Arc<Paths>,
}

#[derive(Debug)]
struct Paths {
    directory: PathBuf,
    identity: PathBuf,
}

impl LocalStore {
    /// The store in `directory` with the identity at `identity`; touches neither yet.
    pub fn open(directory: impl Into<PathBuf>, identity: impl Into<PathBuf>) -> Self {
        let (directory, identity) = (directory.into(), identity.into());
        Self { paths: Arc::new(Paths { directory, identity }) }
    }

    /// Where the store is.
    pub fn directory(&self) -> &Path {
        &self.paths.directory
    }

    /// Stores `value` as `name`; the former value is replaced.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a name that cannot be or a value over 64 KiB; [`Kind::Unauthorized`] for
    /// an identity that cannot be read; [`Kind::Failed`] if the disk refuses.
    pub fn set(&self, name: &str, value: &Secret) -> Result<(), Fault> {
        let path = self.path(name)?;
        if value.expose().len() > LARGEST_SECRET {
            return Err(Fault::new(
                Kind::Invalid,
                format!("the secret `{name}` has more than 64 KiB"),
            )
            .code("invalid.secrets")
            .help("store large files where files belong, and their key here"));
        }
        let unwritable = |error: io::Error| {
            Fault::new(Kind::Failed, format!("the secret `{name}` could not be stored"))
                .code("failed.secrets")
                .side(report::Side::Host)
                .caused_by(&error)
        };
        make_private_directory(&self.paths.directory).map_err(unwritable)?;
        let identity = self.identity_or_new()?;
        let encrypted = age::encrypt(&identity.to_public(), value.expose())
            .map_err(|error| unwritable(io::Error::other(error.to_string())))?;
        replace(&self.paths.directory, &path, &encrypted).map_err(unwritable)
    }

    /// The secret `name`, if there is one.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a name that cannot be; [`Kind::Unauthorized`] if the file is damaged, or
    /// was encrypted to another identity, or the identity is gone.
    pub fn get(&self, name: &str) -> Result<Option<Secret>, Fault> {
        let path = self.path(name)?;
        let unreadable = |error: &dyn std::error::Error| {
            unavailable(format!("the secret `{name}` of the local store cannot be read"))
                .caused_by(error)
        };
        match fs_err::metadata(&path) {
            Ok(facts) if facts.len() > LARGEST_FILE => {
                return Err(unavailable(format!("`{}` is no secret of ours", path.display()))
                    .help(self.set_again(name)));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
        }
        let encrypted = fs_err::read(&path).map_err(|error| unreadable(&error))?;
        let identity = self.identity()?.ok_or_else(|| {
            unavailable(format!("the identity `{}` is gone", self.paths.identity.display()))
                .help("put it back from a backup; without it the secrets cannot be read")
        })?;
        match age::decrypt(&identity, &encrypted) {
            Ok(value) => Ok(Some(Secret::new(value))),
            Err(age::DecryptError::NoMatchingKeys) => Err(unavailable(format!(
                "the secret `{name}` was encrypted to another identity than `{}`",
                self.paths.identity.display()
            ))
            .help(format!("use the identity it was made with, or {}", self.set_again(name)))),
            Err(error) => Err(unreadable(&error)
                .cause(format!("`{}` is damaged", path.display()))
                .help(self.set_again(name))),
        }
    }

    /// The names of all secrets, in order. Decrypts nothing.
    ///
    /// # Errors
    /// [`Kind::Failed`] if the directory cannot be read.
    pub fn list(&self) -> Result<Vec<String>, Fault> {
        let unreadable = |error: &io::Error| {
            Fault::new(Kind::Failed, "the local store cannot be listed")
                .code("failed.secrets")
                .side(report::Side::Host)
                .caused_by(error)
        };
        let entries = match fs_err::read_dir(&self.paths.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(&error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(|error| unreadable(&error))?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(SUFFIX));
            names.extend(name.filter(|name| is_secret_name(name)).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Removes `name`; false where there was none.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for a name that cannot be; [`Kind::Failed`] if the disk refuses.
    pub fn remove(&self, name: &str) -> Result<bool, Fault> {
        let path = self.path(name)?;
        match fs_err::remove_file(&path).and_then(|()| sync_directory(&self.paths.directory)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Fault::new(Kind::Failed, format!("`{name}` could not be removed"))
                .code("failed.secrets")
                .side(report::Side::Host)
                .caused_by(&error)),
        }
    }

    fn path(&self, name: &str) -> Result<PathBuf, Fault> {
        match is_secret_name(name) {
            true => Ok(self.paths.directory.join(format!("{name}{SUFFIX}"))),
            false => Err(Fault::new(Kind::Invalid, format!("`{name}` cannot name a secret"))
                .code("invalid.secrets")
                .help(
                    "use letters, digits, `-`, `_` and `.`, a letter or digit first, \
                     at most 128 of them",
                )),
        }
    }

    fn set_again(&self, name: &str) -> String {
        format!("set the secret again: `windlass secret set {name}`")
    }

    fn identity(&self) -> Result<Option<Identity>, Fault> {
        let path = &self.paths.identity;
        let refuse = || unavailable(format!("the identity `{}` cannot be read", path.display()));
        let text = match fs_err::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refuse().caused_by(&error)),
        };
        let line = text.lines().map(str::trim).find(|line| line.starts_with(IDENTITY_PREFIX));
        let identity = line.and_then(|line| line.parse::<Identity>().ok());
        identity.map(Some).ok_or_else(|| {
            refuse()
                .cause("it has no line `AGE-SECRET-KEY-1…`")
                .help("put the identity back from a backup, or remove it and set the secrets again")
        })
    }

    /// The identity; the first `set` makes one. Of two processes that make one at once, one wins.
    fn identity_or_new(&self) -> Result<Identity, Fault> {
        if let Some(identity) = self.identity()? {
            return Ok(identity);
        }
        let path = &self.paths.identity;
        let refuse = |error: &io::Error| {
            unavailable(format!("the identity `{}` could not be made", path.display()))
                .caused_by(error)
        };
        let parent = path.parent().unwrap_or_else(|| Path::new("."));
        make_private_directory(parent).map_err(|error| refuse(&error))?;
        let identity = Identity::generate();
        write_identity(parent, path, &identity).map_err(|error| refuse(&error))?;
        self.identity()?.ok_or_else(|| refuse(&io::Error::from(io::ErrorKind::NotFound)))
    }
}

/// Writes a new identity beside its place and links it there, unless another one is there already.
fn write_identity(parent: &Path, path: &Path, identity: &Identity) -> io::Result<()> {
    use age::secrecy::ExposeSecret as _;

    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    let key = identity.to_string();
    writeln!(file, "# public key: {}\n{}", identity.to_public(), key.expose_secret())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_directory(parent),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(failed) => Err(failed.error),
    }
}

/// Replaces `path` in one step, and returns when that is on disk.
fn replace(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A temporary file has mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    sync_directory(directory)
}

/// Makes `directory` with mode 0700; one that is there keeps its mode.
fn make_private_directory(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(directory)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", directory.display())))
}

/// A rename is on disk when its directory is.
fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        fs_err::File::open(directory)?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _ = directory;
        Ok(())
    }
}
