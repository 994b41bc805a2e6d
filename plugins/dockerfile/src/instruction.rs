//! The instructions of a Dockerfile as written: typed, but with nothing expanded.
//!
//! What is said here is what the file says; what it means for an image is a [`Step`](crate::Step).

use crate::heredoc::Heredoc;
use crate::mount::MountFlag;
use crate::source::Span;
use crate::word::Word;

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The first word as written: `FROM`, `from`.
    pub keyword: Word,
    /// What it says.
    pub command: Command,
    /// From its first byte to its last, heredocs not included.
    pub span: Span,
    /// The text with continuations joined, trimmed: what BuildKit calls the source code.
    pub text: String,
    /// Comments between the instruction before and this one, without `#`, trimmed.
    pub comments: Vec<Word>,
    /// Documents that follow it, in order.
    pub heredocs: Vec<Heredoc>,
    /// A blank line within its continuations, if there is one.
    pub empty_continuation: Option<Span>,
}

/// What an instruction says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `ADD`
    Add(Add),
    /// `ARG`, with each name and its default.
    Arg(Vec<Argument>),
    /// `CMD`
    Cmd(CommandLine),
    /// `COPY`
    Copy(Copy),
    /// `ENTRYPOINT`
    Entrypoint(CommandLine),
    /// `ENV`
    Env(Vec<Pair>),
    /// `EXPOSE`
    Expose(Vec<Word>),
    /// `FROM`
    From(From),
    /// `HEALTHCHECK`
    Healthcheck(HealthcheckLine),
    /// `LABEL`
    Label(Vec<Pair>),
    /// `MAINTAINER`
    Maintainer(Word),
    /// `ONBUILD`
    Onbuild(Onbuild),
    /// `RUN`
    Run(Run),
    /// `SHELL`
    Shell(Vec<Word>),
    /// `STOPSIGNAL`
    StopSignal(Word),
    /// `USER`
    User(Word),
    /// `VOLUME`
    Volume(Vec<Word>),
    /// `WORKDIR`
    Workdir(Word),
}

/// `FROM [--platform=P] base [AS name]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// `--platform`
    pub platform: Option<Word>,
    /// An image, an earlier stage, or `scratch`.
    pub base: Word,
    /// The word `AS` as written.
    pub as_keyword: Option<Word>,
    /// The stage's name as written; stages are known by its lower case.
    pub name: Option<Word>,
}

/// One name of `ARG name[=default]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The name.
    pub name: Word,
    /// The default, if it has one; may be empty.
    pub default: Option<Word>,
}

/// One pair of `ENV` or `LABEL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Word,
    /// The value.
    pub value: Word,
    /// Written with a blank in place of `=`, which takes the rest of the line for the value.
    pub legacy: bool,
}

/// The shell form or the exec form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Text for the shell of the moment.
    Shell(Word),
    /// A JSON array: what is executed, as it is.
    Exec(Vec<Word>),
}

/// Sources and destination of `COPY` and `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Paths, patterns, URLs, heredocs, in order.
    pub sources: Vec<PathSource>,
    /// Where to.
    pub destination: Word,
}

/// One source of `COPY` and `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathSource {
    /// A path, pattern or URL.
    Path(Word),
    /// The document of this index in [`Instruction::heredocs`].
    Heredoc(usize),
}

/// `COPY`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// `--from`
    pub from: Option<Word>,
    /// `--chown`
    pub chown: Option<Word>,
    /// `--chmod`
    pub chmod: Option<Word>,
    /// `--link`
    pub link: bool,
    /// `--parents`
    pub parents: bool,
    /// `--exclude`, any number
    pub exclude: Vec<Word>,
    /// What is copied.
    pub paths: Paths,
}

/// `ADD`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    /// `--chown`
    pub chown: Option<Word>,
    /// `--chmod`
    pub chmod: Option<Word>,
    /// `--link`
    pub link: bool,
    /// `--exclude`, any number
    pub exclude: Vec<Word>,
    /// `--checksum`
    pub checksum: Option<Word>,
    /// `--keep-git-dir`
    pub keep_git_dir: Option<bool>,
    /// `--unpack`
    pub unpack: Option<bool>,
    /// What is added.
    pub paths: Paths,
}

/// `RUN`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// `--mount`, any number
    pub mounts: Vec<MountFlag>,
    /// `--network`
    pub network: Network,
    /// `--security`
    pub security: Security,
    /// `--device`, any number
    pub devices: Vec<Device>,
    /// What is run. The shell form may refer to [`Instruction::heredocs`].
    pub command: CommandLine,
}

/// What a `RUN` may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Network {
    /// What the builder gives.
    #[default]
    Default,
    /// Nothing.
    None,
    /// The machine's own network.
    Host,
}

/// What a `RUN` may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Security {
    /// As everything else.
    #[default]
    Sandbox,
    /// Without a sandbox.
    Insecure,
}

/// `RUN --device=name[,required]`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// The CDI name.
    pub name: String,
    /// Whether the build fails without it.
    pub required: bool,
}

/// `HEALTHCHECK`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthcheckLine {
    /// `NONE`
    None,
    /// `CMD`
    Check {
        /// What is run.
        command: CommandLine,
        /// The options, in nanoseconds; 0 is "not said".
        options: HealthcheckOptions,
    },
}

/// Options of `HEALTHCHECK CMD`; nanoseconds, 0 where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HealthcheckOptions {
    /// `--interval`
    pub interval: i64,
    /// `--timeout`
    pub timeout: i64,
    /// `--start-period`
    pub start_period: i64,
    /// `--start-interval`
    pub start_interval: i64,
    /// `--retries`
    pub retries: u32,
}

/// `ONBUILD`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onbuild {
    /// The trigger as the image's config holds it: without `ONBUILD`, with its heredocs.
    pub expression: String,
    /// The trigger, parsed.
    pub trigger: Box<Instruction>,
}

impl Command {
    /// What an `ARG` declares; of others, nothing.
    pub fn arguments(&self) -> &[Argument] {
        if let Self::Arg(arguments) = self { arguments } else { &[] }
    }

    /// The head of a stage, of a `FROM`.
    pub const fn head(&self) -> Option<&From> {
        if let Self::From(from) = self { Some(from) } else { None }
    }

    /// The keyword, in capitals.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "ADD",
            Self::Arg(_) => "ARG",
            Self::Cmd(_) => "CMD",
            Self::Copy(_) => "COPY",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Env(_) => "ENV",
            Self::Expose(_) => "EXPOSE",
            Self::From(_) => "FROM",
            Self::Healthcheck(_) => "HEALTHCHECK",
            Self::Label(_) => "LABEL",
            Self::Maintainer(_) => "MAINTAINER",
            Self::Onbuild(_) => "ONBUILD",
            Self::Run(_) => "RUN",
            Self::Shell(_) => "SHELL",
            Self::StopSignal(_) => "STOPSIGNAL",
            Self::User(_) => "USER",
            Self::Volume(_) => "VOLUME",
            Self::Workdir(_) => "WORKDIR",
        }
    }
}
