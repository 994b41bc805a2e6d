//! Filesystems, and what makes another one of them: copies and commands.

use crate::Result;
use crate::bindings::windlass::build::build as wit;
use crate::secrets::Secret;

use super::{BillFormat, CacheSharing, Context, GivenFile};

/// A root filesystem, as a stack of layers.
#[derive(Debug)]
pub struct Filesystem(pub(super) wit::Filesystem);

impl Filesystem {
    /// The image's configuration as JSON; none of one that began empty.
    #[must_use]
    pub fn config(&self) -> Option<String> {
        self.0.config()
    }

    /// The digest of the image's manifest for the platform.
    #[must_use]
    pub fn digest(&self) -> Option<String> {
        self.0.digest()
    }

    /// The digest that its reference pointed at: the index's, where there is one.
    #[must_use]
    pub fn resolved(&self) -> Option<String> {
        self.0.resolved()
    }

    /// The reference in full, without digest.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.0.name()
    }

    /// With what `copy` copies.
    ///
    /// # Errors
    /// `not-found.build`, `invalid.build`, `denied.http`.
    pub fn copy(&self, copy: Copy) -> Result<Self> {
        Ok(Self(self.0.copy(copy.0)?))
    }

    /// With what `run` changes.
    ///
    /// # Errors
    /// `denied.exec`, `build.command-failed`, `timeout.build`.
    pub fn run(&self, run: Run) -> Result<Self> {
        Ok(Self(self.0.run(run.0)?))
    }

    /// With a directory, if it is not there.
    ///
    /// # Errors
    /// `invalid.build` where something else is in its place.
    pub fn make_directory(&self, path: &str, owner: Option<&str>) -> Result<Self> {
        Ok(Self(self.0.make_directory(path, owner)?))
    }

    /// Whether what made it was taken from the cache.
    #[must_use]
    pub fn was_cached(&self) -> bool {
        self.0.was_cached()
    }

    /// How many layers there are above those of the base.
    #[must_use]
    pub fn new_layers(&self) -> u32 {
        self.0.new_layers()
    }

    /// A file, at most 4 MiB, links followed; none where there is none.
    ///
    /// # Errors
    /// `invalid.build` for what is no file, or too large.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.read(path)?)
    }

    /// The packages that its databases list, as a bill of materials in JSON.
    ///
    /// # Errors
    /// `invalid.build` for a database that cannot be read.
    pub fn bill_of_materials(&self, format: BillFormat, name: &str) -> Result<String> {
        Ok(self.0.bill_of_materials(format, name)?)
    }
}

/// What is copied into a filesystem.
#[derive(Debug)]
#[must_use = "a copy does nothing before it is given to a filesystem"]
pub struct Copy(pub(super) wit::CopyRequest);

impl Copy {
    /// To `destination`, absolute or relative to `directory`; a directory if it ends with `/`.
    pub fn to(destination: &str, directory: &str) -> Self {
        Self(wit::CopyRequest::new(destination, directory))
    }

    /// A path or pattern in `context`.
    pub fn from_context(self, context: &Context, pattern: &str) -> Self {
        self.0.from_context(&context.0, pattern);
        self
    }

    /// A path or pattern in `filesystem`.
    pub fn from_filesystem(self, filesystem: &Filesystem, pattern: &str) -> Self {
        self.0.from_filesystem(&filesystem.0, pattern);
        self
    }

    /// What is at a URL, held against `checksum` if there is one.
    pub fn from_url(self, url: &str, checksum: Option<&str>) -> Self {
        self.0.from_url(url, checksum);
        self
    }

    /// A file that the plugin brings.
    pub fn from_given(self, file: &GivenFile) -> Self {
        self.0.from_given(file);
        self
    }

    /// Tars of the context are unpacked at the destination.
    pub fn unpack(self) -> Self {
        self.0.unpack();
        self
    }

    /// `USER[:GROUP]`, by name or number.
    pub fn owner(self, owner: &str) -> Self {
        self.0.owner(owner);
        self
    }

    /// Permission bits, octal or symbolic.
    pub fn mode(self, mode: &str) -> Self {
        self.0.mode(mode);
        self
    }

    /// Keeps the folders in which a source lies.
    pub fn parents(self) -> Self {
        self.0.parents();
        self
    }

    /// Leaves out what matches.
    pub fn exclude(self, pattern: &str) -> Self {
        self.0.exclude(pattern);
        self
    }

    /// Does not depend on what is below.
    pub fn link(self) -> Self {
        self.0.link();
        self
    }
}

/// A command that is run in a filesystem.
#[derive(Debug)]
#[must_use = "a command does not run before it is given to a filesystem"]
pub struct Run(pub(super) wit::RunRequest);

/// A directory that is kept from build to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheMount {
    /// Where it is.
    pub target: String,
    /// Which one.
    pub id: String,
    /// Who else may use it meanwhile.
    pub sharing: CacheSharing,
    /// Permission bits of a new one.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Whether it cannot be written.
    pub read_only: bool,
}

impl Run {
    /// `arguments`, the first is the program. `title` is what people know it by.
    pub fn new(arguments: &[String], title: &str) -> Self {
        Self(wit::RunRequest::new(arguments, title))
    }

    /// A variable of its environment.
    pub fn environment(self, name: &str, value: &str) -> Self {
        self.0.environment(&wit::Variable { name: name.to_owned(), value: value.to_owned() });
        self
    }

    /// A variable that is no reason to run it again: a proxy's.
    pub fn ambient(self, name: &str, value: &str) -> Self {
        self.0.ambient(&wit::Variable { name: name.to_owned(), value: value.to_owned() });
        self
    }

    /// Where it starts.
    pub fn directory(self, path: &str) -> Self {
        self.0.directory(path);
        self
    }

    /// `USER[:GROUP]`.
    pub fn user(self, user: &str) -> Self {
        self.0.user(user);
        self
    }

    /// May use the network of this machine.
    pub fn network(self) -> Self {
        self.0.network();
        self
    }

    /// A file that is there while the command runs.
    pub fn script(self, path: &str, content: &[u8]) -> Self {
        self.0.script(path, content);
        self
    }

    /// A directory that is kept from build to build.
    pub fn mount_cache(self, mount: &CacheMount) -> Self {
        let CacheMount { target, id, sharing, mode, uid, gid, read_only } = mount;
        self.0.mount_cache(target, id, *sharing, *mode, *uid, *gid, *read_only);
        self
    }

    /// Files of a context; what is written there is lost.
    pub fn mount_context(
        self,
        target: &str,
        context: &Context,
        source: &str,
        writable: bool,
    ) -> Self {
        self.0.mount_context(target, &context.0, source, writable);
        self
    }

    /// Files of a filesystem; what is written there is lost.
    pub fn mount_filesystem(
        self,
        target: &str,
        filesystem: &Filesystem,
        source: &str,
        writable: bool,
    ) -> Self {
        self.0.mount_filesystem(target, &filesystem.0, source, writable);
        self
    }

    /// Memory; `size` in bytes.
    pub fn mount_tmpfs(self, target: &str, size: Option<u64>) -> Self {
        self.0.mount_tmpfs(target, size);
        self
    }

    /// A secret as a file.
    pub fn mount_secret(
        self,
        target: &str,
        secret: &Secret,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Self {
        self.0.mount_secret(target, &secret.0, mode, uid, gid);
        self
    }

    /// A secret as a variable.
    pub fn secret_variable(self, name: &str, secret: &Secret) -> Self {
        self.0.secret_variable(name, &secret.0);
        self
    }
}
