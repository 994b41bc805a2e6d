//! A commit of a git repository as a context, without the program `git`.
//!
//! Repositories of this machine are read as they lie there; nothing that a repository says is run.
//! Others are fetched over HTTP, one commit without its history, through a [`GitHttp`] of the caller:
//! every request of a step goes through one gate, which knows grants and credentials. Formats and
//! protocol are few and frozen, and only reading is needed: that is less than a library would bring.
//!
//! Every object is held against its name, and SHA-1 collisions are detected: a commit by its full
//! name is that commit.
//!
//! Source: git's `gitformat-pack`, `gitprotocol-v2`, `gitprotocol-http`, `gitrepository-layout`.

mod checkout;
mod delta;
mod fetch;
mod object;
mod pack;
mod packet;
mod repository;
mod source;
mod store;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use report::{Fault, Side};

use super::ContextError;
use super::scratch::Scratch;
use crate::layer::Limits;

pub use source::{GitSource, Location};

/// A commit that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name: 40 hexadecimal digits.
    pub id: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
}

/// How repositories at `http://` and `https://` are reached. Credentials are its business.
pub trait GitHttp {
    /// `GET`s `url` with these headers.
    ///
    /// # Errors
    /// Whatever is not a success of the HTTP kind, in full.
    fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<GitReply, Fault>;

    /// `POST`s `body` to `url` with these headers.
    ///
    /// # Errors
    /// Whatever is not a success of the HTTP kind, in full.
    fn post(&self, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<GitReply, Fault>;
}

/// The answer to a request.
pub struct GitReply {
    /// Where it came from, redirections followed.
    pub url: String,
    /// Its body, as it comes.
    pub body: Box<dyn Read + Send>,
}

/// A commit cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// A text is no source.
    #[error("`{text}` is not a git repository with a reference: {why}")]
    Source {
        /// As written.
        text: String,
        /// What is wrong.
        why: &'static str,
    },
    /// There is no repository.
    #[error("`{}` is not a git repository", path.display())]
    NotARepository {
        /// Where.
        path: PathBuf,
    },
    /// A repository uses something that we cannot read.
    #[error("the repository uses {what}, which is not supported")]
    Unsupported {
        /// What.
        what: &'static str,
    },
    /// There is no such branch, tag or commit.
    #[error("the repository has no branch, tag or commit `{reference}`")]
    NoSuchReference {
        /// As written.
        reference: String,
        /// What to try.
        help: Option<String>,
    },
    /// The commit has no such directory.
    #[error("the commit has no directory `{}`", path.display())]
    NoSuchDirectory {
        /// As written.
        path: PathBuf,
    },
    /// Something in it makes no sense.
    #[error("the repository is broken: {what}")]
    Broken {
        /// What is wrong, and where.
        what: String,
    },
    /// It is larger than a context may be.
    #[error("the commit has more than {limit} {what}")]
    Limit {
        /// The limit.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
    /// The disk.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The other side ended early, or the disk is full.
    #[error("the pack of `{url}` cannot be received")]
    Transfer {
        /// The repository.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// The other side says no.
    #[error("`{url}` refused: {message}")]
    Server {
        /// The repository.
        url: String,
        /// Its words.
        message: String,
    },
    /// A request failed.
    #[error("{0}")]
    Http(Box<Fault>),
    /// Nobody gave us a way to the network.
    #[error("`{url}` needs the network, which this build may not use")]
    NoNetwork {
        /// The repository.
        url: String,
    },
}

/// Unpacks a commit into a new directory in `scratch`.
pub(super) fn check_out(
    source: &GitSource,
    http: Option<&dyn GitHttp>,
    scratch: &Path,
    limits: Limits,
) -> Result<(Scratch, Commit), ContextError> {
    match &source.location {
        Location::Path(path) => {
            let repository = repository::Repository::open(path)?;
            let id = repository.resolve(source.reference.as_deref())?;
            checkout::write(repository.objects(), id, &source.subdirectory, scratch, limits)
        }
        Location::Url(url) => {
            let http = http.ok_or_else(|| GitError::NoNetwork { url: url.clone() })?;
            let (objects, id) =
                fetch::fetch(http, url, source.reference.as_deref(), scratch, limits.bytes)?;
            checkout::write(&objects, id, &source.subdirectory, scratch, limits)
        }
    }
}

/// The commit at which the repository is that `directory` lies in; none if it lies in none, or
/// nothing was committed yet.
pub(super) fn commit_of(directory: &Path) -> Result<Option<Commit>, GitError> {
    let Some(repository) = repository::Repository::around(directory)? else { return Ok(None) };
    let Some(id) = repository.head()? else { return Ok(None) };
    checkout::commit(repository.objects(), id).map(|(commit, _)| Some(commit))
}

fn broken(what: impl Into<String>) -> GitError {
    GitError::Broken { what: what.into() }
}

impl From<GitError> for Fault {
    fn from(error: GitError) -> Self {
        let (kind, side) = match &error {
            GitError::Http(fault) => return (**fault).clone(),
            GitError::NotARepository { .. }
            | GitError::NoSuchReference { .. }
            | GitError::NoSuchDirectory { .. } => (report::Kind::NotFound, Side::User),
            GitError::Source { .. } | GitError::Unsupported { .. } | GitError::Limit { .. } => {
                (report::Kind::Invalid, Side::User)
            }
            GitError::Broken { .. } => (report::Kind::Mismatch, Side::Remote),
            GitError::Unreadable { .. } => (report::Kind::Failed, Side::Host),
            GitError::Transfer { .. } => (report::Kind::Transient, Side::Remote),
            GitError::Server { .. } => (report::Kind::Failed, Side::Remote),
            GitError::NoNetwork { .. } => (report::Kind::Denied, Side::User),
        };
        let code = format!("{}.build", kind.as_str());
        let mut fault = Self::new(kind, error.to_string()).code(code).side(side);
        if let Some(source) = std::error::Error::source(&error) {
            fault = fault.caused_by(source);
        }
        if let GitError::NoSuchReference { help: Some(help), .. } = error {
            fault.help(help)
        } else if matches!(error, GitError::Source { .. }) {
            fault.help("write `https://HOST/REPOSITORY.git#REF:SUBDIRECTORY`")
        } else {
            fault
        }
    }
}

#[cfg(test)]
mod tests;
