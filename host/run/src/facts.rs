//! What there is to say of a run besides its steps: what started it, and on what machine it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What started a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A person, or a program that called the command.
    #[default]
    Manual,
    /// A commit on a branch.
    Commit,
    /// An image that is another one now.
    ImageUpdate,
    /// The time of day.
    Timer,
    /// A request from outside.
    Webhook,
}

impl Trigger {
    /// Every trigger, in the order of the documentation.
    pub const ALL: [Self; 5] =
        [Self::Manual, Self::Commit, Self::ImageUpdate, Self::Timer, Self::Webhook];

    /// The word for it in templates, in the record and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Commit => "commit",
            Self::ImageUpdate => "image-update",
            Self::Timer => "timer",
            Self::Webhook => "webhook",
        }
    }

    /// The trigger that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.as_str() == word)
    }
}

impl fmt::Display for Trigger {
    /// As people read it in a table: `Image Update`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Manual => "Manual",
            Self::Commit => "Commit",
            Self::ImageUpdate => "Image Update",
            Self::Timer => "Timer",
            Self::Webhook => "Webhook",
        })
    }
}

/// The machine's operating system and processor, as images name them: `linux/amd64`.
pub fn platform() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    };
    format!("{}/{arch}", std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_is_read_back_from_its_word() {
        for trigger in Trigger::ALL {
            assert_eq!(Trigger::parse(trigger.as_str()), Some(trigger));
        }
        assert_eq!(Trigger::parse("Manual"), None);
        assert_eq!(Trigger::ImageUpdate.to_string(), "Image Update");
    }

    #[test]
    fn the_platform_is_named_as_images_name_it() {
        assert!(platform().starts_with("linux/"), "{}", platform());
        assert!(!platform().contains("x86_64"));
    }
}
