//! `log`: what a step says, bounded and masked.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::voice::{Field, Level, Unit, Voice};

/// 8 KiB: more than a screen of text, little enough to hold a thousand of.
const LONGEST_MESSAGE: usize = 8 * 1024;

/// 4 MiB: the log of a chatty build; a plugin that says more loops.
const LONGEST_LOG: usize = 4 * 1024 * 1024;

/// Bytes of a line that are kept until its end comes. Far more than is shown of it, so that a secret
/// which lies across the cut is whole when it is masked.
const LONGEST_LINE: usize = 8 * LONGEST_MESSAGE;

/// Bytes that a title of a progress or a group may have; it is one line of a terminal.
const LONGEST_TITLE: usize = 256;

/// Fields of one message; a log line with more is data, and data are outputs.
const MOST_FIELDS: usize = 64;

/// The log of one call. Needs no grant; clones write into the same log.
#[derive(Clone)]
pub struct StepLog {
    voice: Voice,
    budget: Arc<Budget>,
}

/// A progress; dropping it ends it.
pub struct Progress {
    voice: Voice,
    budget: Arc<Budget>,
    id: u64,
}

/// Messages that belong together; dropping it ends them.
pub struct Group {
    voice: Voice,
}

/// Bytes in, lines out: what a guest writes to its standard output or error.
///
/// A line is cut as any message is. Dropping it says what is left.
pub struct LineWriter {
    log: StepLog,
    level: Level,
    pending: Vec<u8>,
}

struct Budget {
    left: AtomicUsize,
    message_cut: AtomicBool,
    log_cut: AtomicBool,
}

impl StepLog {
    pub(crate) fn new(voice: Voice) -> Self {
        let budget = Budget {
            left: AtomicUsize::new(LONGEST_LOG),
            message_cut: AtomicBool::new(false),
            log_cut: AtomicBool::new(false),
        };
        Self { voice, budget: Arc::new(budget) }
    }

    /// Says `message`.
    ///
    /// It is cut at 8 KiB, and nothing is said any more after 4 MiB; each is said once.
    pub fn emit(&self, level: Level, message: &str, fields: &[Field]) {
        // Masked before it is cut: a cut may not leave half a secret.
        let masked = self.voice.mask().apply(message);
        let text = cut(&masked, LONGEST_MESSAGE);
        let mut was_cut = text.len() < masked.len() || fields.len() > MOST_FIELDS;
        let mut size = text.len();
        let mut kept = Vec::new();
        for field in fields.iter().take(MOST_FIELDS) {
            let name = self.voice.mask().apply(&field.name);
            let value = self.voice.mask().apply(&field.value);
            let room = LONGEST_MESSAGE.saturating_sub(size);
            let name = cut(&name, room.min(LONGEST_TITLE)).to_owned();
            let short = cut(&value, room.saturating_sub(name.len())).to_owned();
            was_cut |= short.len() < value.len();
            size += name.len() + short.len();
            kept.push(Field { name, value: short });
        }
        // An empty line costs something too, or a loop of them would be endless.
        if !self.budget.take(size + 1) {
            if !self.budget.log_cut.swap(true, Ordering::Relaxed) {
                let message = "the step has said more than 4 MiB; the rest of its messages is cut";
                self.voice.log(Level::Warn, message, &[]);
            }
            return;
        }
        self.voice.log(level, text, &kept);
        if was_cut && !self.budget.message_cut.swap(true, Ordering::Relaxed) {
            let message = "a message of the step was longer than 8 KiB and was cut";
            self.voice.log(Level::Warn, message, &[]);
        }
    }

    /// Begins a piece of work; `total` is none where the end is not known.
    pub fn progress(&self, title: &str, total: Option<u64>, unit: Unit) -> Progress {
        let title = self.title(title);
        let id = self.voice.progress_start(&title, total, unit);
        Progress { voice: self.voice.clone(), budget: Arc::clone(&self.budget), id }
    }

    /// Begins messages that belong together.
    pub fn group(&self, title: &str) -> Group {
        self.voice.group_start(&self.title(title));
        Group { voice: self.voice.clone() }
    }

    /// Takes bytes and says their lines at `level`.
    pub fn lines(&self, level: Level) -> LineWriter {
        LineWriter { log: self.clone(), level, pending: Vec::new() }
    }

    fn title(&self, title: &str) -> String {
        title_within(&self.voice, &self.budget, title)
    }
}

impl Progress {
    /// So much is done since the last call.
    pub fn advance(&self, amount: u64) {
        self.voice.progress_advance(self.id, amount);
    }

    /// Replaces the title.
    pub fn title(&self, title: &str) {
        let title = title_within(&self.voice, &self.budget, title);
        if !title.is_empty() {
            self.voice.progress_title(self.id, &title);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.voice.progress_end(self.id);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.voice.group_end();
    }
}

impl LineWriter {
    /// Takes more bytes; every whole line is said. Bytes that are no UTF-8 are replaced.
    pub fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = LONGEST_LINE.saturating_sub(self.pending.len());
            self.pending.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                self.say();
            }
        }
    }

    fn say(&mut self) {
        let line = std::mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&line);
        self.log.emit(self.level, text.trim_end_matches(['\r', '\n']), &[]);
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if !self.pending.is_empty() {
            self.say();
        }
    }
}

impl Budget {
    fn take(&self, size: usize) -> bool {
        let spend = |left: usize| left.checked_sub(size);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }
}

/// Titles count against the log; when it is full they are empty.
fn title_within(voice: &Voice, budget: &Budget, title: &str) -> String {
    let masked = voice.mask().apply(title);
    let title = cut(&masked, LONGEST_TITLE);
    if budget.take(title.len() + 1) { title.to_owned() } else { String::new() }
}

/// The longest beginning of `text` with at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
