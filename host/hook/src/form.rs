//! Who speaks: the forms of bodies.

use std::str::FromStr;

/// A form of webhooks, by the name of who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// The CNCF's `distribution` and what is built on it (`registry:2`, Debian's `docker-registry`).
    Distribution,
    /// Azure Container Registry's own webhooks.
    Acr,
    /// Docker Hub.
    DockerHub,
    /// Azure Event Grid, in its own schema or as CloudEvents.
    EventGrid,
    /// GitHub.
    Github,
    /// Anybody: that something came is all that is known.
    Any,
}

/// A word that is none of those that fit; the message lists them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not {what}: use {}", report::or_list(*known))]
pub struct UnknownWord {
    /// What was found.
    pub word: String,
    /// What it should have been.
    pub what: &'static str,
    /// What there is.
    pub known: &'static [&'static str],
}

impl Form {
    /// Every form, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Distribution, Self::Acr, Self::DockerHub, Self::EventGrid, Self::Github, Self::Any];

    const WORDS: &[&str] = &["distribution", "acr", "docker-hub", "event-grid", "github", "any"];

    /// The word for it in pipeline files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Distribution => "distribution",
            Self::Acr => "acr",
            Self::DockerHub => "docker-hub",
            Self::EventGrid => "event-grid",
            Self::Github => "github",
            Self::Any => "any",
        }
    }

    /// Whether its sender can be given a URL and nothing else, so that the token has to be in there.
    pub(crate) fn sends_only_a_url(self) -> bool {
        match self {
            Self::DockerHub | Self::EventGrid => true,
            Self::Distribution | Self::Acr | Self::Github | Self::Any => false,
        }
    }
}

impl FromStr for Form {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord {
            word: word.to_owned(),
            what: "a form of webhooks",
            known: Self::WORDS,
        };
        Self::ALL.into_iter().find(|form| form.as_str() == word).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_by_its_word() {
        assert_eq!(Form::ALL.map(Form::as_str), Form::WORDS);
        for form in Form::ALL {
            assert_eq!(form.as_str().parse(), Ok(form));
        }
        assert_eq!(
            "harbor".parse::<Form>().unwrap_err().to_string(),
            "`harbor` is not a form of webhooks: use `distribution`, `acr`, `docker-hub`, \
             `event-grid`, `github` or `any`"
        );
    }
}
