//! The files that a build may copy, and what becomes of them at a builder elsewhere.

use crate::Result;
use crate::bindings::windlass::build::build as wit;

use super::GivenFile;

/// The files that a build may copy.
#[derive(Debug)]
pub struct Context(pub(super) wit::Context);

impl Context {
    /// Opens a directory or a tar of the workspace, or a git repository
    /// (`https://HOST/REPOSITORY.git[#REF[:SUBDIRECTORY]]`).
    ///
    /// # Errors
    /// `denied.workspace`, `denied.http`, `not-found.build`, `invalid.build`.
    pub fn open(source: &str) -> Result<Self> {
        Ok(Self(wit::Context::open(source)?))
    }

    /// Just these files.
    ///
    /// # Errors
    /// `invalid.build` for a path that is none.
    pub fn given(files: &[GivenFile]) -> Result<Self> {
        Ok(Self(wit::Context::given(files)?))
    }

    /// Leaves out what `text` says, the content of a `.dockerignore`; `name` is for messages.
    ///
    /// # Errors
    /// `invalid.build` with the line.
    pub fn ignore(&self, name: &str, text: &str) -> Result<()> {
        Ok(self.0.ignore(name, text)?)
    }

    /// A file, whether left out or not, at most 4 MiB; none where there is none.
    ///
    /// # Errors
    /// `invalid.build` for what is no file, or too large.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.read(path)?)
    }

    /// Whether a path that is there is left out.
    #[must_use]
    pub fn ignores(&self, path: &str) -> bool {
        self.0.ignores(path)
    }

    /// The commit, of a git repository.
    #[must_use]
    pub fn revision(&self) -> Option<String> {
        self.0.revision()
    }

    /// When the commit was made, in seconds since 1970.
    ///
    /// # Errors
    /// `invalid.build` for a repository that cannot be read.
    pub fn commit_time(&self) -> Result<Option<u64>> {
        Ok(self.0.commit_time()?)
    }

    /// The latest time of modification of what is not left out, in seconds since 1970.
    ///
    /// # Errors
    /// `invalid.build` for what cannot be read.
    pub fn newest_time(&self) -> Result<Option<u64>> {
        Ok(self.0.newest_time()?)
    }

    /// Packs what is not left out as a tar in gzip, and sends it with `PUT` to `url`. The file `keep`
    /// is in it in any case, and so are those in `add`, in place of what has their paths. The bytes
    /// stay in the host, and may be as many as they are.
    ///
    /// # Errors
    /// `denied.http`, `not-found.build`, `invalid.build`, `timeout.http`, `transient.http`; a status
    /// of 4xx or 5xx is none.
    pub fn upload(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        keep: Option<&str>,
        add: &[GivenFile],
    ) -> Result<Uploaded> {
        let header = |(name, value): &(&str, &str)| wit::Variable {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        let headers: Vec<_> = headers.iter().map(header).collect();
        Ok(Uploaded(self.0.upload(url, &headers, keep, add)?))
    }
}

/// What became of an upload.
#[derive(Debug)]
pub struct Uploaded(pub(super) wit::Uploaded);

impl Uploaded {
    /// The status of the answer, 100 to 599.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// How the answer begins: at most 4 KiB.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.text()
    }

    /// The bytes that were sent.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size()
    }

    /// Their digest.
    #[must_use]
    pub fn digest(&self) -> String {
        self.0.digest()
    }
}
