//! A step that does nothing: what a plugin costs before it does anything.

use windlass_plugin::schema::Empty;
use windlass_plugin::{Context, Outcome, Result, Step};

/// The step.
pub struct Noop;

impl Step for Noop {
    const NAME: &'static str = "noop";
    const SUMMARY: &'static str = "does nothing";
    type Inputs = Empty;
    type Outputs = Empty;

    fn run(_: Empty, _: &Context) -> Result<Outcome<Empty>> {
        Ok(Outcome::unchanged(Empty {}))
    }
}

windlass_plugin::step!(Noop);
