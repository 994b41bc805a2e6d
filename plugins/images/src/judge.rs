//! Where an image stands: unchanged, settling, changed.

use serde::{Deserialize, Serialize};

use crate::sight::{Change, Sight};

/// What is remembered of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Known {
    /// What it was when it was last reported, or first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Sight>,
    /// What it is since, without having been reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A sight that has not been reported yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pending {
    /// What was seen.
    pub sight: Sight,
    /// Since when it has been so, in milliseconds since 1970.
    pub since: u64,
}

/// What is asked of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// The platforms that count; all that there are if none is named.
    pub wanted: Vec<String>,
    /// How long it must not have moved before it is reported, in milliseconds.
    pub settle: u64,
    /// Whether an image that nothing is known of is reported, instead of only remembered.
    pub fires: bool,
}

/// Where an image stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// As it was.
    Unchanged,
    /// Seen for the first time, and remembered.
    Armed,
    /// It is another one, and may move further.
    Settling {
        /// When it will have settled if it moves no more, in milliseconds since 1970.
        until: u64,
    },
    /// It is another one, and these platforms are not there yet.
    Waiting(Vec<String>),
    /// These are others.
    Changed(Vec<Change>),
}

/// A stand, and what to remember.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Where it stands.
    pub stand: Stand,
    /// What was seen.
    pub sight: Sight,
    /// Since when, if it is not as it was.
    pub since: u64,
}

/// Holds `sight`, which is of the moment `now`, against `old`, and against what is pending in `known`.
///
/// `old` is what `known` has seen, or what something was built on.
#[must_use]
pub fn judge(
    known: Option<&Known>,
    old: Option<&Sight>,
    sight: Sight,
    terms: &Terms,
    now: u64,
) -> Judgement {
    let missing = sight.missing(&terms.wanted);
    let changes = sight.changes_since(old, &terms.wanted);
    let pending = known.and_then(|known| known.pending.as_ref());
    // A clock that was set back starts the time anew, rather than never.
    let since = match pending {
        Some(pending) if pending.sight.digest == sight.digest && pending.since <= now => {
            pending.since
        }
        Some(_) | None => now,
    };
    let until = since.saturating_add(terms.settle);
    let stand = if !missing.is_empty() {
        Stand::Waiting(missing)
    } else if old.is_none() && !terms.fires {
        Stand::Armed
    } else if changes.is_empty() {
        Stand::Unchanged
    } else if now < until {
        Stand::Settling { until }
    } else {
        Stand::Changed(changes)
    };
    Judgement { stand, sight, since }
}

/// Several images that change together are one change: while any settles, those that have settled
/// wait for it, but none longer than once more the time of settling.
pub fn hold_for_others(judgements: &mut [&mut Judgement], settle: u64, now: u64) {
    let until = judgements.iter().filter_map(|judgement| match judgement.stand {
        Stand::Settling { until } => Some(until),
        Stand::Unchanged | Stand::Armed | Stand::Waiting(_) | Stand::Changed(_) => None,
    });
    let Some(last) = until.max() else { return };
    for judgement in judgements {
        let patience = judgement.since.saturating_add(settle.saturating_mul(2));
        if matches!(judgement.stand, Stand::Changed(_)) && now < patience {
            judgement.stand = Stand::Settling { until: last.min(patience) };
        }
    }
}

impl Judgement {
    /// What to remember of it; `reports` says whether what has changed is told now, for else it is to
    /// be told later.
    ///
    /// Of an image that was held against what something was `built_on` it is remembered how long it
    /// has been so, and if it is the same under another digest; for it is told until something is
    /// built anew.
    #[must_use]
    pub fn remember(&self, known: Option<&Known>, built_on: bool, reports: bool) -> Known {
        let seen = known.and_then(|known| known.seen.clone());
        let pending = || Some(Pending { sight: self.sight.clone(), since: self.since });
        match &self.stand {
            Stand::Changed(_) if built_on || !reports => Known { seen, pending: pending() },
            Stand::Settling { .. } | Stand::Waiting(_) => Known { seen, pending: pending() },
            Stand::Unchanged | Stand::Armed | Stand::Changed(_) => {
                Known { seen: Some(self.sight.remembering(seen.as_ref())), pending: None }
            }
        }
    }
}

impl Known {
    /// What is known of the image at `digest`, if anything is: then nobody needs to ask for it.
    #[must_use]
    pub fn sight_of(&self, digest: &str) -> Option<&Sight> {
        let pending = self.pending.as_ref().map(|pending| &pending.sight);
        self.seen.iter().chain(pending).find(|sight| sight.digest == digest)
    }
}

#[cfg(test)]
mod tests;
