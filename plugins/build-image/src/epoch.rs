//! The time that new files get.

use windlass_plugin::build::Context;
use windlass_plugin::{Error, Result};

use crate::inputs::{Epoch, Inputs};

/// 1980-01-01: the first day that a zip archive can say, and the same for everybody.
pub const USUAL: u64 = 315_532_800;

/// What BuildKit calls it, as a build argument and in the environment.
const ARGUMENT: &str = "SOURCE_DATE_EPOCH";

/// Seconds since 1970: what the step says, else its build argument, else the environment.
///
/// # Errors
/// `invalid.inputs` where the context has no such time.
pub fn resolve(inputs: &Inputs, outside: Option<u64>, context: &Context) -> Result<u64> {
    match &inputs.source_date_epoch {
        None => match inputs.args.get(ARGUMENT) {
            Some(text) => text.parse().map_err(|_| {
                Error::invalid(format!("`args.{ARGUMENT}` is `{text}`"))
                    .hint("write seconds since 1970")
            }),
            None => Ok(outside.unwrap_or(USUAL)),
        },
        Some(Epoch::Seconds(seconds)) => Ok(*seconds),
        Some(Epoch::Word(word)) if word == "commit" => context.commit_time()?.ok_or_else(|| {
            Error::invalid("`source-date-epoch = \"commit\"`: the context is in no git repository")
                .hint("give seconds since 1970, or leave it out")
        }),
        Some(Epoch::Word(_)) => Ok(context.newest_time()?.unwrap_or(USUAL)),
    }
}
