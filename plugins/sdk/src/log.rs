//! What a step says while it works.
//!
//! Needs no grant. Everything passes the host's mask before it is shown or recorded.
//!
//! ```ignore
//! log::info!("{count} images to copy");
//! log::emit(log::Level::Debug, "copied", &[("digest", digest.as_str())]);
//! let bar = log::Progress::items("copy", 3);
//! bar.advance(1);
//! ```

use crate::bindings::windlass::log::log as wit;

pub use crate::{
    __debug as debug, __error as error, __info as info, __trace as trace, __warn as warn,
};
pub use wit::Level;

/// Says `message` with named values beside it.
pub fn emit(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| wit::Field { name: (*name).to_owned(), value: (*value).to_owned() })
        .collect();
    wit::emit(level, message, &fields);
}

/// A piece of work that takes a while: a bar on a terminal, a line at its end elsewhere. Ends when
/// it is dropped.
#[derive(Debug)]
pub struct Progress(wit::Progress);

impl Progress {
    /// Counts bytes; `total` is none where the end is not known.
    #[must_use]
    pub fn bytes(title: &str, total: impl Into<Option<u64>>) -> Self {
        Self(wit::Progress::new(title, total.into(), wit::Unit::Bytes))
    }

    /// Counts items; `total` is none where the end is not known.
    #[must_use]
    pub fn items(title: &str, total: impl Into<Option<u64>>) -> Self {
        Self(wit::Progress::new(title, total.into(), wit::Unit::Items))
    }

    /// So much is done since the last call.
    pub fn advance(&self, amount: u64) {
        self.0.advance(amount);
    }

    /// Replaces the title.
    pub fn title(&self, title: &str) {
        self.0.title(title);
    }
}

/// Messages that belong together, folded where the output can fold. Ends when it is dropped.
#[derive(Debug)]
pub struct Group(#[expect(dead_code, reason = "held for its drop")] wit::Group);

impl Group {
    /// Begins.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self(wit::Group::new(title))
    }
}

/// Says something at level trace; arguments as of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __trace {
    ($($text:tt)+) => {
        $crate::log::emit($crate::log::Level::Trace, &format!($($text)+), &[])
    };
}

/// Says something at level debug; arguments as of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($text:tt)+) => {
        $crate::log::emit($crate::log::Level::Debug, &format!($($text)+), &[])
    };
}

/// Says something at level info; arguments as of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($text:tt)+) => {
        $crate::log::emit($crate::log::Level::Info, &format!($($text)+), &[])
    };
}

/// Says something at level warn; arguments as of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($text:tt)+) => {
        $crate::log::emit($crate::log::Level::Warn, &format!($($text)+), &[])
    };
}

/// Says something at level error; arguments as of `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($text:tt)+) => {
        $crate::log::emit($crate::log::Level::Error, &format!($($text)+), &[])
    };
}
