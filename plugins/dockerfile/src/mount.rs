//! `RUN --mount`: as written, and once its variables are expanded.

use crate::source::Span;
use crate::word::Word;

/// One `--mount` as written: a comma-separated list of `key=value`, in quotes where needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountFlag {
    /// All of the value.
    pub word: Word,
    /// Its fields, in order.
    pub fields: Vec<MountField>,
}

/// One field of a `--mount`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountField {
    /// The key, in lower case.
    pub key: Word,
    /// What follows `=`, if there is one.
    pub value: Option<Word>,
}

/// One mount of a `RUN`, expanded. Its `target` is as written; relative ones are the step's affair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// `from`, not resolved: a stage, or an image.
    pub from: Option<String>,
    /// `source`: a path of the context or of `from`; of a secret its id.
    pub source: String,
    /// `target`: where it is seen; empty if not said.
    pub target: String,
    /// Whether it can be written to.
    pub read_only: bool,
    /// `size` of a tmpfs, in bytes; 0 is no limit.
    pub size: u64,
    /// `id` of a cache, secret or agent; empty if not said.
    pub id: String,
    /// `sharing` of a cache.
    pub sharing: Sharing,
    /// `required` of a secret or agent.
    pub required: bool,
    /// `env` of a secret: the variable that holds it.
    pub env: Option<String>,
    /// `mode`: twelve permission bits.
    pub mode: Option<u32>,
    /// `uid`
    pub uid: Option<u32>,
    /// `gid`
    pub gid: Option<u32>,
    /// Where it is written.
    pub span: Span,
}

/// What a mount is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MountKind {
    /// Files of the context, of a stage or of an image.
    #[default]
    Bind,
    /// A directory that outlives the build.
    Cache,
    /// A directory in memory.
    Tmpfs,
    /// A secret, as a file or as a variable.
    Secret,
    /// A socket of an SSH agent.
    Ssh,
}

/// Who else may use a cache at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Everybody.
    #[default]
    Shared,
    /// Nobody: others get one of their own.
    Private,
    /// Nobody: others wait.
    Locked,
}
