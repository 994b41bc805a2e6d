//! What a capability says: to the person, and into the record.
//!
//! [`Reporter`] is implemented by the other line of the house. Everything goes through [`Voice`],
//! which masks known secrets: no capability holds a bare [`Reporter`].

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use report::{Fault, Mask};

/// How important a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who look for a fault in the plugin.
    Trace,
    /// For those who want to know how.
    Debug,
    /// For everybody.
    Info,
    /// Something is odd, the work goes on.
    Warn,
    /// Something went wrong.
    Error,
}

/// What a progress counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Pieces.
    Items,
}

/// A named value beside a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, kebab-case.
    pub name: String,
    /// The value as text.
    pub value: String,
}

/// One use of a capability, for the record: who did what to what, with which result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLine {
    /// `http`, `secrets`, `oci`, `state` or `workspace`.
    pub capability: &'static str,
    /// `GET`, `reveal`, `push`, …
    pub action: String,
    /// A URL without secrets, a name, a repository, a path.
    pub target: String,
    /// A status, a digest, or the code of the fault.
    pub result: String,
    /// Whether it was refused or failed.
    pub failed: bool,
    /// Bytes that were moved, where that is known.
    pub bytes: Option<u64>,
    /// The images that were read or written.
    pub images: Vec<ImageUse>,
    /// How long it took.
    pub elapsed: Duration,
}

/// An image that was read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageUse {
    /// Which of both, and what for.
    pub role: ImageRole,
    /// `localhost:5000/app:v1`; the repository alone where it was named by digest.
    pub reference: String,
    /// What that pointed at, or points at now.
    pub digest: String,
}

/// What was done with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageRole {
    /// It was built upon.
    Base,
    /// It was looked at, or copied.
    Read,
    /// It was written.
    Written,
}

/// Who listens to one call of a step. All text is masked already.
///
/// Must not block: it is called from async code and from threads.
pub trait Reporter: Send + Sync {
    /// A message.
    fn log(&self, level: Level, message: &str, fields: &[Field]);
    /// A piece of work begins; the answer names it.
    fn progress_start(&self, title: &str, total: Option<u64>, unit: Unit) -> u64;
    /// So much more is done.
    fn progress_advance(&self, id: u64, amount: u64);
    /// It has a new title.
    fn progress_title(&self, id: u64, title: &str);
    /// It has ended.
    fn progress_end(&self, id: u64);
    /// Messages that belong together begin.
    fn group_start(&self, title: &str);
    /// They end.
    fn group_end(&self);
    /// A capability was used.
    fn ledger(&self, line: LedgerLine);
}

/// Hears nothing.
pub struct Nobody;

impl Reporter for Nobody {
    fn log(&self, _level: Level, _message: &str, _fields: &[Field]) {}
    fn progress_start(&self, _title: &str, _total: Option<u64>, _unit: Unit) -> u64 {
        0
    }
    fn progress_advance(&self, _id: u64, _amount: u64) {}
    fn progress_title(&self, _id: u64, _title: &str) {}
    fn progress_end(&self, _id: u64) {}
    fn group_start(&self, _title: &str) {}
    fn group_end(&self) {}
    fn ledger(&self, _line: LedgerLine) {}
}

/// A [`Reporter`] behind the mask.
#[derive(Clone)]
pub(crate) struct Voice {
    to: Arc<dyn Reporter>,
    mask: Mask,
}

/// A use of a capability that is going on; [`Voice::note`] writes its ledger line.
pub(crate) struct Use {
    pub(crate) capability: &'static str,
    pub(crate) action: String,
    pub(crate) target: String,
    started: Instant,
}

/// What a use came to.
#[derive(Default)]
pub(crate) struct Said {
    /// A status, a digest, `ok`.
    result: String,
    /// Bytes that were moved.
    bytes: Option<u64>,
    images: Vec<ImageUse>,
}

impl Said {
    /// Adds an image with several names.
    pub(crate) fn images(
        mut self,
        role: ImageRole,
        names: impl IntoIterator<Item = String>,
        digest: impl fmt::Display,
    ) -> Self {
        let digest = digest.to_string();
        let image = |reference| ImageUse { role, reference, digest: digest.clone() };
        self.images.extend(names.into_iter().map(image));
        self
    }
}

impl<T: fmt::Display> From<(T, Option<u64>)> for Said {
    fn from((result, bytes): (T, Option<u64>)) -> Self {
        Self { result: result.to_string(), bytes, images: Vec::new() }
    }
}

impl Use {
    pub(crate) fn begin(
        capability: &'static str,
        action: impl Into<String>,
        target: impl fmt::Display,
    ) -> Self {
        let (action, target) = (action.into(), target.to_string());
        Self { capability, action, target, started: Instant::now() }
    }
}

impl Voice {
    pub(crate) fn new(to: Arc<dyn Reporter>, mask: Mask) -> Self {
        Self { to, mask }
    }

    pub(crate) fn mask(&self) -> &Mask {
        &self.mask
    }

    pub(crate) fn log(&self, level: Level, message: &str, fields: &[Field]) {
        let fields: Vec<Field> = fields
            .iter()
            .map(|field| Field {
                name: self.mask.apply(&field.name).into_owned(),
                value: self.mask.apply(&field.value).into_owned(),
            })
            .collect();
        self.to.log(level, &self.mask.apply(message), &fields);
    }

    pub(crate) fn progress_start(&self, title: &str, total: Option<u64>, unit: Unit) -> u64 {
        self.to.progress_start(&self.mask.apply(title), total, unit)
    }

    pub(crate) fn progress_advance(&self, id: u64, amount: u64) {
        self.to.progress_advance(id, amount);
    }

    pub(crate) fn progress_title(&self, id: u64, title: &str) {
        self.to.progress_title(id, &self.mask.apply(title));
    }

    pub(crate) fn progress_end(&self, id: u64) {
        self.to.progress_end(id);
    }

    pub(crate) fn group_start(&self, title: &str) {
        self.to.group_start(&self.mask.apply(title));
    }

    pub(crate) fn group_end(&self) {
        self.to.group_end();
    }

    /// Writes the ledger line of a use that came to its end.
    pub(crate) fn note(&self, used: Use, result: impl fmt::Display, bytes: Option<u64>) {
        self.write(used, (result, bytes).into(), false);
    }

    /// Writes the ledger line of a use that was refused or failed, after `bytes` if some had passed.
    pub(crate) fn note_failed(&self, used: Use, code: &str, bytes: Option<u64>) {
        self.write(used, (code, bytes).into(), true);
    }

    fn write(&self, used: Use, said: Said, failed: bool) {
        let Use { capability, action, target, started } = used;
        let Said { result, bytes, mut images } = said;
        for image in &mut images {
            image.reference = self.mask.apply(&image.reference).into_owned();
        }
        self.to.ledger(LedgerLine {
            capability,
            action,
            target: self.mask.apply(&target).into_owned(),
            result: self.mask.apply(&result).into_owned(),
            failed,
            bytes,
            images,
            elapsed: started.elapsed(),
        });
    }

    /// From now on `secret` is not said.
    pub(crate) fn learn(&self, secret: &report::Secret) {
        self.mask.learn(secret);
    }

    /// `fault` as it may leave this room: the second line of defence over foreign text.
    pub(crate) fn masked(&self, mut fault: Fault) -> Fault {
        fault.message = self.mask.apply(&fault.message).into_owned();
        for cause in &mut fault.causes {
            *cause = self.mask.apply(cause).into_owned();
        }
        fault.help = fault.help.map(|help| self.mask.apply(&help).into_owned());
        fault
    }

    /// Ends a use: a ledger line with `say(value)`, or with the fault's code, and the fault masked.
    pub(crate) fn end<T, S: Into<Said>>(
        &self,
        used: Use,
        result: Result<T, Fault>,
        say: impl FnOnce(&T) -> S,
    ) -> Result<T, Fault> {
        match result {
            Ok(value) => {
                self.write(used, say(&value).into(), false);
                Ok(value)
            }
            Err(fault) => {
                self.note_failed(used, &fault.code, None);
                Err(self.masked(fault))
            }
        }
    }
}
