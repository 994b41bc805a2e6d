//! What a stage does, one instruction at a time, with every word expanded.

use crate::config::Healthcheck;
use crate::instruction::{Device, Network, Security};
use crate::mount::Mount;
use crate::source::Span;

/// One instruction, ready to be done.
///
/// [`Action::Run`], [`Action::Copy`], [`Action::Add`] and some [`Action::Workdir`] change files; the
/// others change only the config, which the [`StageRun`](crate::StageRun) keeps itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where the instruction stands; of a trigger of the base image, where `FROM` stands.
    pub span: Span,
    /// The instruction as written, continuations joined: for the log.
    pub text: String,
    /// Whether it is a trigger (`ONBUILD`) of the base.
    pub is_trigger: bool,
    /// `created_by` of the history, as BuildKit writes it; none for `ONBUILD`, which has no entry.
    pub created_by: Option<String>,
    /// Whether it makes a layer; if not, the history says `empty_layer`.
    pub has_layer: bool,
    /// What it does.
    pub action: Action,
}

/// What a step does. `Debug` of it is complete: its text may go into a cache key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Runs a program.
    Run(RunStep),
    /// Copies files.
    Copy(CopyStep),
    /// Copies files, fetches URLs, unpacks archives.
    Add(AddStep),
    /// Changes the working directory, and makes it if it is not there (mode 0755, owned by the
    /// user of the moment) unless it is `/`.
    Workdir {
        /// Absolute, without `.` and `..`.
        path: String,
        /// `USER` of the moment; empty is root.
        user: String,
    },
    /// Declares build arguments, with the values they have from here.
    Arg(Vec<(String, Option<String>)>),
    /// Sets variables of the image.
    Env(Vec<(String, String)>),
    /// Sets labels.
    Label(Vec<(String, String)>),
    /// Sets the user.
    User(String),
    /// Declares ports: `80/tcp`.
    Expose(Vec<String>),
    /// Declares volumes.
    Volume(Vec<String>),
    /// Sets the command.
    Cmd(Vec<String>),
    /// Sets the entrypoint, and forgets the command of the base.
    Entrypoint(Vec<String>),
    /// Sets the shell.
    Shell(Vec<String>),
    /// Sets the signal.
    StopSignal(String),
    /// Sets the health check.
    Healthcheck(Healthcheck),
    /// Adds a trigger.
    Onbuild(String),
    /// Sets the author.
    Maintainer(String),
}

/// `RUN`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStep {
    /// What is executed; the shell is part of it.
    pub argv: Vec<String>,
    /// The environment: of the image, and the arguments declared so far.
    pub env: Vec<(String, String)>,
    /// The arguments declared so far, by name and value, in order of declaration: `|2 A=b C=d`.
    pub args: Vec<(String, String)>,
    /// Proxy settings given as build arguments, in both cases of letters. They are set for the
    /// program but are neither in the history nor a reason to miss the cache.
    pub proxy: Vec<(String, String)>,
    /// Where it runs: absolute.
    pub working_dir: String,
    /// `USER` of the moment; empty is root.
    pub user: String,
    /// `--mount`
    pub mounts: Vec<RunMount>,
    /// A document with `#!`: `argv` has its path.
    pub script: Option<Script>,
    /// `--network`
    pub network: Network,
    /// `--security`
    pub security: Security,
    /// `--device`
    pub devices: Vec<Device>,
}

/// A file that is seen, read-only and executable, at `/dev/pipes/NAME` while a `RUN` runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Script {
    /// The absolute path.
    pub path: String,
    /// What it holds.
    pub content: String,
}

/// One mount of a `RUN`, its paths made absolute and its origin resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunMount {
    /// What was said. `target` is absolute; for a secret it is empty only if it has a variable and
    /// is no file. `id` is filled in for caches (the target) and secrets (the source or the name).
    pub mount: Mount,
    /// Where its files come from.
    pub origin: Origin,
}

/// Where files come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Nothing: an empty directory.
    Empty,
    /// The build context.
    Context,
    /// The result of a stage, by index.
    Stage(usize),
    /// An image, as written.
    Image(String),
}

/// `COPY`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyStep {
    /// Where sources are looked up.
    pub origin: Origin,
    /// Paths and patterns as written, and documents.
    pub sources: Vec<CopySource>,
    /// Absolute; ends with `/` if it has to be a directory.
    pub destination: String,
    /// `--chown`: `user[:group]`, names or numbers.
    pub chown: Option<String>,
    /// `--chmod`: octal or in words, as written.
    pub chmod: Option<String>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude`
    pub exclude: Vec<String>,
}

/// `ADD`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddStep {
    /// Paths and patterns of the context, URLs, repositories, and documents.
    pub sources: Vec<CopySource>,
    /// Absolute; ends with `/` if it has to be a directory.
    pub destination: String,
    /// `--chown`: `user[:group]`, names or numbers.
    pub chown: Option<String>,
    /// `--chmod`: octal or in words, as written.
    pub chmod: Option<String>,
    /// `--link`
    pub link: bool,
    /// `--exclude`
    pub exclude: Vec<String>,
    /// `--checksum`: `algorithm:hex`, or a commit.
    pub checksum: Option<String>,
    /// `--keep-git-dir`; if not said, the URL may say it, and else it is not kept.
    pub keep_git_dir: Option<bool>,
    /// `--unpack`; if not said, archives of the context are unpacked and those of URLs are not.
    pub unpack: Option<bool>,
}

/// One source of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CopySource {
    /// A path or pattern, as written.
    Path(String),
    /// A document of the Dockerfile, mode 0644.
    Inline {
        /// The file's name.
        name: String,
        /// What it holds, expanded.
        content: String,
    },
    /// `http://` or `https://`; only in [`AddStep`].
    Url(String),
    /// A git repository `url#ref:subdir`; only in [`AddStep`].
    Git(String),
}
