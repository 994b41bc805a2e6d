//! The ways to log in, each usable alone, in the order in which they are tried.

pub(crate) mod cli;
pub(crate) mod entra;
pub(crate) mod github;
pub(crate) mod managed;

use std::fmt;

/// One way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// The client secret of an application.
    ClientSecret,
    /// Its certificate.
    Certificate,
    /// The token of a job of GitHub Actions, or of whoever has the same contract.
    GitHub,
    /// A file with a token of whoever the application trusts: Kubernetes, Jenkins.
    FederatedToken,
    /// The identity of the machine: App Service, Container Apps, virtual machines.
    Managed,
    /// Who is logged in with the Azure CLI.
    Cli,
}

impl Link {
    /// All of them, in the order of the chain, with the word for each in pipeline files.
    pub const ALL: [(&str, Self); 6] = [
        ("client-secret", Self::ClientSecret),
        ("certificate", Self::Certificate),
        ("github", Self::GitHub),
        ("federated-token-file", Self::FederatedToken),
        ("managed", Self::Managed),
        ("cli", Self::Cli),
    ];

    /// The link that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(own, _)| *own == word).map(|(_, link)| link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientSecret => "client secret",
            Self::Certificate => "certificate",
            Self::GitHub => "token of GitHub Actions",
            Self::FederatedToken => "federated token",
            Self::Managed => "managed identity",
            Self::Cli => "Azure CLI",
        })
    }
}

/// What came of a link.
pub(crate) enum Found<T> {
    /// What it gave.
    Some(T),
    /// It has not what it needs; why, and what would help.
    Nothing { why: String, help: String },
}

impl<T> Found<T> {
    pub(crate) fn nothing(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Nothing { why: why.into(), help: help.into() }
    }
}

/// What a link found, or why it could not look.
pub(crate) type Looked<T> = Result<Found<T>, crate::error::Error>;

/// Goes on with what was found, or says what was not.
macro_rules! found {
    ($looked:expr) => {
        match $looked {
            $crate::link::Found::Some(value) => value,
            $crate::link::Found::Nothing { why, help } => {
                return Ok($crate::link::Found::Nothing { why, help });
            }
        }
    };
}
pub(crate) use found;
