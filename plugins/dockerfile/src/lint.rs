//! BuildKit's lint rules.

use std::fmt;

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
}

/// What `# check=` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// `skip=all`
    pub skip_all: bool,
    /// `skip=`, by name.
    pub skip: Vec<String>,
    /// `experimental=all`
    pub experimental_all: bool,
    /// `experimental=`, by name.
    pub experimental: Vec<String>,
    /// `error=true`: a warning fails the build.
    pub error: bool,
}
