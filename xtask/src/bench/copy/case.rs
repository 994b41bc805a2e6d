//! What is copied, and what the target has before.

use super::client::Client;
use super::content::{self, FIVE, ONE, PLATFORMS, SMALL, TAG, TAGS};

/// What the target has before a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing: it is emptied and started anew before every run.
    Nothing,
    /// The image itself.
    Image,
    /// The image in the repository of the source's name, while the copy goes to another.
    Elsewhere,
}

/// One job that all clients do.
pub(super) struct Case {
    /// For `--case`.
    pub(super) name: &'static str,
    /// As it stands in the table.
    pub(super) title: &'static str,
    /// In the source.
    pub(super) repository: &'static str,
    /// The tags that are copied.
    pub(super) tags: Tags,
    pub(super) before: Before,
    /// The target is our own registry instead of docker-registry.
    pub(super) into_own: bool,
    /// Who does it besides us.
    pub(super) peers: &'static [Client],
}

/// How many tags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    /// [`TAG`].
    One,
    /// All of [`content::TAG_COUNT`].
    All,
}

impl Case {
    /// The tags that must be in the target afterwards.
    pub(super) fn expected(&self) -> Vec<String> {
        match self.tags {
            Tags::One => vec![TAG.to_owned()],
            Tags::All => (1..=content::TAG_COUNT).map(content::tag).collect(),
        }
    }

    /// Where a copy by `client` in `round` goes. Into another repository it is a new one each time.
    pub(super) fn target_repository(&self, client: Client, round: usize) -> String {
        match self.before {
            Before::Nothing | Before::Image => self.repository.to_owned(),
            Before::Elsewhere => {
                format!("other/{}-{round}/{}", client.name(), self.repository)
            }
        }
    }
}

const COPIERS: &[Client] = &[Client::WithReferrers, Client::Skopeo, Client::Crane, Client::Oras];
const AND_LIMITS: &[Client] = &[
    Client::WithReferrers,
    Client::Skopeo,
    Client::Crane,
    Client::Oras,
    Client::Curl,
    Client::Hash,
];
const OF_MANY: &[Client] =
    &[Client::WithReferrers, Client::Skopeo, Client::SkopeoSync, Client::Crane, Client::Oras];

const fn cold(name: &'static str, title: &'static str, repository: &'static str) -> Case {
    Case {
        name,
        title,
        repository,
        tags: Tags::One,
        before: Before::Nothing,
        into_own: false,
        peers: COPIERS,
    }
}

/// All of them, in the order of the table.
pub(super) const ALL: &[Case] = &[
    Case { peers: AND_LIMITS, ..cold("five", "5 × 40 MB", FIVE) },
    cold("one", "1 × 512 MiB", ONE),
    cold("small", "30 layers of 20–107 KB", SMALL),
    cold("platforms", "3 platforms, 10 × 10 MB", PLATFORMS),
    Case { tags: Tags::All, peers: OF_MANY, ..cold("tags", "50 tags that share 15 MB", TAGS) },
    Case { before: Before::Image, ..cold("five-unchanged", "5 × 40 MB, unchanged", FIVE) },
    Case { before: Before::Image, ..cold("small-unchanged", "30 small layers, unchanged", SMALL) },
    Case { before: Before::Elsewhere, ..cold("five-mount", "5 × 40 MB, other repository", FIVE) },
    Case {
        before: Before::Elsewhere,
        ..cold("small-mount", "30 small layers, other repository", SMALL)
    },
    Case { into_own: true, ..cold("own", "5 × 40 MB into `windlass registry serve`", FIVE) },
];
