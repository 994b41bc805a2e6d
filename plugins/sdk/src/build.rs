//! Images made from files and commands. Files, layers and processes stay in the host.
//!
//! A [`Filesystem`] never changes: what is done to one gives another, and the host remembers what it
//! did. Needs the grants of its parts: `workspace.read` for a context, `oci.pull` for a base,
//! `exec.run` and `exec.network` for commands, `oci.push` for a target.
//!
//! ```ignore
//! let builder = Builder::new(None);
//! let base = builder.base("docker.io/library/alpine:3.20", None)?;
//! let context = Context::open("app")?;
//! let copied = base.copy(Copy::to("/app/", "/").from_context(&context, "*"))?;
//! let built = copied.run(Run::new(&["/app/setup".to_owned()], "RUN /app/setup"))?;
//! let output = Output::new(ImageFormat::Oci);
//! output.add(&built, config)?;
//! output.push(&target, &["1.0".to_owned()])?;
//! ```

use crate::Result;
use crate::bindings::windlass::build::build as wit;
use crate::oci::{Descriptor, Repository};
use crate::secrets::Secret;

pub use wit::{BillFormat, CacheSharing, Compression, GivenFile, ImageFormat};

/// The files that a build may copy.
#[derive(Debug)]
pub struct Context(wit::Context);

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
pub struct Uploaded(wit::Uploaded);

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

/// One build for one platform.
#[derive(Debug)]
pub struct Builder(wit::Builder);

impl Builder {
    /// For `os/architecture[/variant]`; without one that of this machine.
    #[must_use]
    pub fn new(platform: Option<&str>) -> Self {
        Self(wit::Builder::new(platform))
    }

    /// The platform.
    #[must_use]
    pub fn platform(&self) -> String {
        self.0.platform()
    }

    /// The platform of this machine, with `linux` for images.
    #[must_use]
    pub fn machine() -> String {
        wit::Builder::machine()
    }

    /// Whether commands of the platform can be run on this machine.
    #[must_use]
    pub fn can_run(&self) -> bool {
        self.0.can_run()
    }

    /// Does everything anew.
    #[must_use]
    pub fn no_cache(self) -> Self {
        self.0.no_cache();
        self
    }

    /// Times in new layers that are later become this one, in seconds since 1970.
    #[must_use]
    pub fn source_date_epoch(self, seconds: u64) -> Self {
        self.0.source_date_epoch(seconds);
        self
    }

    /// Compresses new layers in this way.
    #[must_use]
    pub fn compression(self, compression: Compression) -> Self {
        self.0.compression(compression);
        self
    }

    /// Looks for what was built elsewhere in this repository, opened with `pull`.
    #[must_use]
    pub fn cache_from(self, repository: &Repository) -> Self {
        self.0.cache_from(&repository.0);
        self
    }

    /// Keeps what is built in this repository, opened with `push`.
    #[must_use]
    pub fn cache_to(self, repository: &Repository) -> Self {
        self.0.cache_to(&repository.0);
        self
    }

    /// An empty filesystem.
    ///
    /// # Errors
    /// What was wrong with the builder: its platform, a cache that it may not use.
    pub fn scratch(&self) -> Result<Filesystem> {
        Ok(Filesystem(self.0.scratch()?))
    }

    /// That of an image, for the builder's platform or another.
    ///
    /// # Errors
    /// `denied.oci`, `oci.not-found`, `oci.no-such-platform`, `oci.unauthorized`.
    pub fn base(&self, reference: &str, platform: Option<&str>) -> Result<Filesystem> {
        Ok(Filesystem(self.0.base(reference, platform)?))
    }

    /// An image whose layers above `old_base` stand on `new_base` instead.
    ///
    /// # Errors
    /// `conflict.build` with the reason where that is not safe.
    pub fn rebase(&self, reference: &str, old_base: &str, new_base: &str) -> Result<Rebased> {
        Ok(Rebased(self.0.rebase(reference, old_base, new_base)?))
    }
}

/// A root filesystem, as a stack of layers.
#[derive(Debug)]
pub struct Filesystem(wit::Filesystem);

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
pub struct Copy(wit::CopyRequest);

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
pub struct Run(wit::RunRequest);

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

/// Images that are written together: one, or one for each platform in an index.
#[derive(Debug)]
pub struct Output(wit::Output);

impl Output {
    /// An empty one.
    #[must_use]
    pub fn new(format: ImageFormat) -> Self {
        Self(wit::Output::new(format))
    }

    /// Adds an image: the layers of `filesystem`, and a configuration as JSON, whose `rootfs` the
    /// host fills in.
    ///
    /// # Errors
    /// `invalid.build` for a configuration that does not fit.
    pub fn add(&self, filesystem: &Filesystem, config: &str) -> Result<Descriptor> {
        Ok(self.0.add(&filesystem.0, config)?)
    }

    /// Adds an image that was rebased.
    ///
    /// # Errors
    /// `invalid.build` for a platform that is there already.
    pub fn add_rebased(&self, rebased: &Rebased) -> Result<Descriptor> {
        Ok(self.0.add_rebased(&rebased.0)?)
    }

    /// An annotation of each manifest, and of the index if there is one.
    pub fn annotation(&self, name: &str, value: &str) {
        self.0.annotation(&wit::Variable { name: name.to_owned(), value: value.to_owned() });
    }

    /// The index, or the one image.
    ///
    /// # Errors
    /// `invalid.build` for an empty output.
    pub fn descriptor(&self) -> Result<Descriptor> {
        Ok(self.0.descriptor()?)
    }

    /// Writes it into `target`, under its digest and `tags`.
    ///
    /// # Errors
    /// `denied.oci`, `oci.unauthorized`, `oci.transient`.
    pub fn push(&self, target: &Repository, tags: &[String]) -> Result<Written> {
        Ok(Written(self.0.push(&target.0, tags)?))
    }
}

/// What a push did.
#[derive(Debug)]
pub struct Written(wit::Written);

impl Written {
    /// What stands there now.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        self.0.descriptor()
    }

    /// Whether anything was written or a tag moved.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.0.changed()
    }

    /// The bytes that were sent.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.0.sent_bytes()
    }

    /// Blobs that were mounted from another repository.
    #[must_use]
    pub fn mounted(&self) -> u64 {
        self.0.mounted()
    }

    /// Blobs and manifests that were there already.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.0.skipped()
    }
}

/// An image on another base.
#[derive(Debug)]
pub struct Rebased(wit::Rebased);

impl Rebased {
    /// Its configuration, as JSON.
    #[must_use]
    pub fn config(&self) -> String {
        self.0.config()
    }

    /// The digest that the new base's reference pointed at.
    #[must_use]
    pub fn resolved(&self) -> String {
        self.0.resolved()
    }

    /// How many layers were moved.
    #[must_use]
    pub fn layers(&self) -> u32 {
        self.0.layers()
    }

    /// Whether it stood on the new base already.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.0.unchanged()
    }

    /// Its root filesystem, which begins with the new base.
    #[must_use]
    pub fn filesystem(&self) -> Filesystem {
        Filesystem(self.0.filesystem())
    }
}
