//! `RUN --mount`: as written, and once its variables are expanded.

use crate::diagnostic::Diagnostic;
use crate::flag::Flag;
use crate::line::Line;
use crate::source::Span;
use crate::word::Word;

mod csv;
mod field;

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

/// One mount of a `RUN`, expanded.
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
    /// Whether it can only be read.
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

impl MountKind {
    /// The name in `type=`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }
}

impl MountFlag {
    /// Splits the value of a flag.
    pub(crate) fn parse(flag: &Flag, word: Word, line: &Line) -> Result<Self, Diagnostic> {
        let fields = csv::fields(&word.text).map_err(|(start, end, message)| {
            Diagnostic::error(flag.part(line, "", start, end).span, message)
        })?;
        let field = |(start, text): (usize, String)| {
            let part = |from: usize, to: usize| {
                flag.part(line, text.get(from..to).unwrap_or_default(), start + from, start + to)
            };
            let sign = text.find('=');
            let mut key = part(0, sign.unwrap_or(text.len()));
            key.text.make_ascii_lowercase();
            MountField { key, value: sign.map(|sign| part(sign + 1, text.len())) }
        };
        let flag = Self { fields: fields.into_iter().map(field).collect(), word };
        match flag.from() {
            Some(from) if has_variable(from) => {
                Err(Diagnostic::error(from.span, "`from` of a mount takes no variables")
                    .help("name a stage there, and use the variable in its `FROM`"))
            }
            _ => Ok(flag),
        }
    }

    /// The last `from`, as written.
    pub fn from(&self) -> Option<&Word> {
        let named = self.fields.iter().rev().find(|field| field.key.text == "from");
        named.and_then(|field| field.value.as_ref())
    }

    /// Whether it is known without any variables.
    pub(crate) fn is_constant(&self) -> bool {
        !self.fields.iter().filter_map(|field| field.value.as_ref()).any(has_variable)
    }

    /// The mount, with every value put through `expand`.
    pub(crate) fn evaluate(
        &self,
        expand: &mut dyn FnMut(&Word) -> Result<String, Diagnostic>,
    ) -> Result<Mount, Diagnostic> {
        let mut state = field::State::default();
        for field in &self.fields {
            state.take(field, expand)?;
        }
        state.finish(self.word.span)
    }
}

fn has_variable(word: &Word) -> bool {
    word.text.find('$').is_some_and(|at| at + 1 < word.text.len())
}

impl Default for Mount {
    fn default() -> Self {
        Self {
            kind: MountKind::Bind,
            from: None,
            source: String::new(),
            target: String::new(),
            read_only: true,
            size: 0,
            id: String::new(),
            sharing: Sharing::Shared,
            required: false,
            env: None,
            mode: None,
            uid: None,
            gid: None,
        }
    }
}

/// A place within a flag that a problem is about.
pub(crate) fn problem(span: Span, message: String) -> Diagnostic {
    Diagnostic::error(span, message)
}

#[cfg(test)]
mod tests;
