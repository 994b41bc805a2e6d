//! BuildKit's lint rules.
//!
//! Those about the file as written are [`Dockerfile::lint`](crate::Dockerfile::lint), those about
//! `FROM` are [`Plan::warnings`](crate::Plan::warnings), and those that depend on what variables
//! hold are [`StageRun::warnings`](crate::StageRun::warnings), to which the builder adds the two
//! that only it can know of.

use std::fmt;

mod check;
mod file;
mod warnings;

pub use check::Check;
pub(crate) use warnings::Warnings;

/// A rule, by BuildKit's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Stage names should be in lower case.
    StageNameCasing,
    /// `AS` should have the case of `FROM`.
    FromAsCasing,
    /// No blank lines within a continued instruction.
    NoEmptyContinuation,
    /// All instructions should have the same case.
    ConsistentInstructionCasing,
    /// Stage names should be unique.
    DuplicateStageName,
    /// `scratch` and `context` are no names for stages.
    ReservedStageName,
    /// The exec form gets signals, the shell form does not.
    JsonArgsRecommended,
    /// `MAINTAINER` is now a label.
    MaintainerDeprecated,
    /// `FROM` should use declared arguments only.
    UndefinedArgInFrom,
    /// A relative `WORKDIR` depends on the base image.
    WorkdirRelativePath,
    /// Variables should be defined before they are used.
    UndefinedVar,
    /// Only the last `CMD`, `ENTRYPOINT` and `HEALTHCHECK` counts.
    MultipleInstructionsDisallowed,
    /// `key=value` rather than `key value`.
    LegacyKeyValueFormat,
    /// The base image should be for the platform that is built.
    InvalidBaseImagePlatform,
    /// `--platform=$TARGETPLATFORM` is what happens anyway.
    RedundantTargetPlatform,
    /// Arguments and variables stay in the image.
    SecretsUsedInArgOrEnv,
    /// The defaults of arguments should make a valid `FROM`.
    InvalidDefaultArgInFrom,
    /// `--platform` should not be a constant.
    FromPlatformFlagConstDisallowed,
    /// What `.dockerignore` leaves out cannot be copied.
    CopyIgnoredFile,
    /// A comment above `ARG` or `FROM` should describe it. Experimental: off unless asked for.
    InvalidDefinitionDescription,
    /// `tcp`, not `TCP`.
    ExposeProtoCasing,
    /// `EXPOSE` takes no addresses and no ports of the host.
    ExposeInvalidFormat,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Rule {
    /// Its name in `# check=skip=NAME`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StageNameCasing => "StageNameCasing",
            Self::FromAsCasing => "FromAsCasing",
            Self::NoEmptyContinuation => "NoEmptyContinuation",
            Self::ConsistentInstructionCasing => "ConsistentInstructionCasing",
            Self::DuplicateStageName => "DuplicateStageName",
            Self::ReservedStageName => "ReservedStageName",
            Self::JsonArgsRecommended => "JSONArgsRecommended",
            Self::MaintainerDeprecated => "MaintainerDeprecated",
            Self::UndefinedArgInFrom => "UndefinedArgInFrom",
            Self::WorkdirRelativePath => "WorkdirRelativePath",
            Self::UndefinedVar => "UndefinedVar",
            Self::MultipleInstructionsDisallowed => "MultipleInstructionsDisallowed",
            Self::LegacyKeyValueFormat => "LegacyKeyValueFormat",
            Self::InvalidBaseImagePlatform => "InvalidBaseImagePlatform",
            Self::RedundantTargetPlatform => "RedundantTargetPlatform",
            Self::SecretsUsedInArgOrEnv => "SecretsUsedInArgOrEnv",
            Self::InvalidDefaultArgInFrom => "InvalidDefaultArgInFrom",
            Self::FromPlatformFlagConstDisallowed => "FromPlatformFlagConstDisallowed",
            Self::CopyIgnoredFile => "CopyIgnoredFile",
            Self::InvalidDefinitionDescription => "InvalidDefinitionDescription",
            Self::ExposeProtoCasing => "ExposeProtoCasing",
            Self::ExposeInvalidFormat => "ExposeInvalidFormat",
        }
    }

    /// What it is about, at BuildKit's documentation.
    pub fn url(self) -> String {
        let mut page = String::new();
        let name = self.name();
        let mut before_is_lower = false;
        for (index, c) in name.char_indices() {
            let next = name.get(index + 1..).and_then(|rest| rest.chars().next());
            let starts_word = c.is_ascii_uppercase()
                && (before_is_lower || next.is_some_and(|next| next.is_ascii_lowercase()));
            if starts_word && !page.is_empty() {
                page.push('-');
            }
            page.push(c.to_ascii_lowercase());
            before_is_lower = c.is_ascii_lowercase();
        }
        format!("https://docs.docker.com/go/dockerfile/rule/{page}/")
    }
}

#[cfg(test)]
mod tests;
