//! What may be said to a person.
//!
//! This room is the bottom of the house: every other room speaks through it.
//! A file that is wrong is a [`Diagnostic`] (it points into a [`Source`]), a step that failed is a
//! [`Fault`] (it has a [`Kind`], which decides the exit code and whether a retry makes sense).
//! URLs are shown as [`SafeUrl`], secret bytes exist only as [`Secret`], and [`Mask`] removes known
//! secrets from any text as the second line of defence.
//!
//! Invariant: no IO and no async; a path is only a label here.

mod diagnostic;
mod fault;
mod mask;
mod plural;
mod render;
mod safe_url;
mod secret;
mod source;
mod suggest;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use fault::{Fault, Kind, Side};
pub use mask::Mask;
pub use plural::{and_list, or_list, plural};
pub use render::{Style, render_diagnostic, render_fault};
pub use safe_url::SafeUrl;
pub use secret::Secret;
pub use source::{Position, Source, Span};
pub use suggest::closest;
