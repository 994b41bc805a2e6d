//! The time that new files get.

use windlass_plugin::build::Context;
use windlass_plugin::{Error, Result};

use crate::inputs::Epoch;

/// 1980-01-01: the first day that a zip archive can say, and the same for everybody.
pub const USUAL: u64 = 315_532_800;

/// Seconds since 1970, as `said`.
///
/// # Errors
/// `invalid.inputs` where the context has no such time.
pub fn resolve(said: Option<&Epoch>, context: &Context) -> Result<u64> {
    match said {
        None => Ok(USUAL),
        Some(Epoch::Seconds(seconds)) => Ok(*seconds),
        Some(Epoch::Word(word)) if word == "commit" => context.commit_time()?.ok_or_else(|| {
            Error::invalid("`source-date-epoch = \"commit\"`: the context is in no git repository")
                .hint("give seconds since 1970, or leave it out")
        }),
        Some(Epoch::Word(_)) => Ok(context.newest_time()?.unwrap_or(USUAL)),
    }
}
