//! What can be said of images without asking a registry.
//!
//! ```text
//! Dockerfile ──wanted_by──▶ images            tags ──Choice::newest──▶ a tag
//!                             │                         │
//!                             ▼                         ▼
//!            what a registry said ──Sight──▶ judge(known, sight, terms) ──▶ Stand
//! ```
//!
//! [`Place`] takes a reference apart, [`version`] orders tags and [`Choice`] picks one of them,
//! [`platform`] compares platforms. A [`Sight`] is what an image was at one moment; [`judge()`] holds
//! it against what is [`Known`] and says where the image stands: unchanged, changed, settling.
//! [`Delta`] tells what makes two images different.
//!
//! Pure: no files, no network, no clock. It runs within components and outside of them, on documents
//! that strangers wrote: nothing panics.
//!
//! Neighbours: `import-image` and `watch-base-image`, which ask registries, and whoever else watches
//! images. No crate of `host/`.

mod base;
mod delta;
mod judge;
mod place;
pub mod platform;
mod sight;
mod tags;
pub mod version;

pub use base::{BaseNote, Question, Unreadable, WantedImage, note_of, wanted_by};
pub use delta::{Delta, Edit, Layer};
pub use judge::{Judgement, Known, Pending, Stand, Terms, hold_for_others, judge};
pub use place::Place;
pub use sight::{Change, NoIndex, Sight};
pub use tags::{Choice, is_referrer_tag};
