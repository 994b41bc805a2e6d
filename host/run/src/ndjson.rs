//! The event stream as text: one JSON object per line.
//!
//! The first line says what it is; it carries the version. Each further line is an [`Event`]:
//!
//! ```text
//! {"format":"windlass-events","version":1,"writer":"0.1.0"}
//! {"at":"2026-01-31T08:15:00.000Z","elapsed-ms":0,"event":"run-started","run":"01K…",…}
//! {"at":"2026-01-31T08:15:00.004Z","elapsed-ms":4,"event":"step-started","step":"base"}
//! ```
//!
//! Within a version events and fields are added: a reader passes over what it does not know, and
//! gives an event that it does not know as [`crate::EventKind::Unknown`]. A change of meaning is a
//! new version, which an old reader refuses.

use std::{
    io::{self, BufRead, Write},
    sync::{Mutex, PoisonError},
};

use report::{Fault, Kind, Side};
use serde::{Deserialize, Serialize};

use crate::{Event, EventSink};

/// The version that is written, and the latest that can be read.
pub const VERSION: u32 = 1;

/// The name in the first line.
const FORMAT: &str = "windlass-events";

/// 16 MiB: a step's outputs (at most 1 MiB before they are escaped) with much room; little enough
/// to hold.
const LONGEST_LINE: u64 = 16 << 20;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Header {
    format: String,
    version: u32,
    /// The version of the program.
    writer: String,
}

/// Writes every event as a line, and each line at once.
pub struct NdjsonSink<W: Write + Send> {
    state: Mutex<State<W>>,
}

struct State<W> {
    to: W,
    /// The first error; nothing is written after it.
    broken: Option<io::Error>,
}

/// What is wrong with a stream of events.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is not even a first line.
    #[error("the event stream is empty")]
    Empty,
    /// The first line is not ours.
    #[error("line 1 does not begin an event stream, expected `{{\"format\":\"{FORMAT}\",…}}`")]
    NotEvents,
    /// It was written by a later program.
    #[error(
        "the event stream has version {version}, this is windlass {} which reads versions up to {VERSION}",
        env!("CARGO_PKG_VERSION")
    )]
    TooNew {
        /// The stream's version.
        version: u32,
        /// The version of the program that wrote it, which can read it.
        writer: String,
    },
    /// A line is not an event.
    #[error("line {line} is not an event")]
    Line {
        /// From 1.
        line: usize,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A line is longer than any that is written.
    #[error("line {line} is longer than {} MiB", LONGEST_LINE >> 20)]
    TooLong {
        /// From 1.
        line: usize,
    },
    /// It could not be read.
    #[error("the event stream cannot be read")]
    Io(#[from] io::Error),
}

impl<W: Write + Send> NdjsonSink<W> {
    /// Writes to `to`, the first line now.
    ///
    /// # Errors
    /// What `to` says.
    pub fn new(mut to: W) -> io::Result<Self> {
        let writer = env!("CARGO_PKG_VERSION").to_owned();
        write_line(&mut to, &Header { format: FORMAT.to_owned(), version: VERSION, writer })?;
        Ok(Self { state: Mutex::new(State { to, broken: None }) })
    }

    /// Gives back what was written to.
    ///
    /// # Errors
    /// The first error of all writing: a sink cannot stop a run, so it is told here.
    pub fn finish(self) -> io::Result<W> {
        let State { to, broken } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        broken.map_or(Ok(to), Err)
    }

    /// Whether all has been written up to now.
    ///
    /// # Errors
    /// The first error of all writing.
    pub fn check(&self) -> io::Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        state.broken.as_ref().map_or(Ok(()), |error| Err(copy(error)))
    }
}

impl<W: Write + Send> EventSink for NdjsonSink<W> {
    fn emit(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.broken.is_none() {
            state.broken = write_line(&mut state.to, event).err();
        }
    }
}

/// Reads a stream, event by event.
///
/// # Errors
/// At once if the first line is not that of a stream that can be read. A line that is cut off at the
/// end of the stream is an error of that line: the events before it have been given.
pub fn read<R: BufRead>(
    mut from: R,
) -> Result<impl Iterator<Item = Result<Event, ReadError>>, ReadError> {
    let first = next_line(&mut from, 1)?.ok_or(ReadError::Empty)?;
    let header = header(&first)?;
    if header.version > VERSION {
        return Err(ReadError::TooNew { version: header.version, writer: header.writer });
    }
    let mut line = 1;
    let mut ended = false;
    Ok(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        line += 1;
        let event = match next_line(&mut from, line) {
            Ok(text) => text.map(|text| {
                serde_json::from_slice(&text).map_err(|source| ReadError::Line { line, source })
            }),
            Err(error) => Some(Err(error)),
        };
        ended = !matches!(event, Some(Ok(_)));
        event
    }))
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        let fault = Self::new(Kind::Invalid, error.to_string()).code("events.invalid");
        match error {
            ReadError::Empty | ReadError::NotEvents => {
                fault.help("write one with `windlass run --format json PIPELINE`")
            }
            ReadError::TooNew { writer, .. } => {
                fault.help(format!("read it with windlass {writer} or later, which wrote it"))
            }
            ReadError::Line { source, .. } => fault.cause(source),
            ReadError::TooLong { .. } => fault,
            ReadError::Io(source) => fault.code("events.io").side(Side::Host).cause(source),
        }
    }
}

/// The version is looked at before anything that a later version may have changed.
fn header(line: &[u8]) -> Result<Header, ReadError> {
    let value: serde_json::Value =
        serde_json::from_slice(line).map_err(|_| ReadError::NotEvents)?;
    let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    let (Some(FORMAT), Some(version)) = (text("format"), version) else {
        return Err(ReadError::NotEvents);
    };
    let version = u32::try_from(version).unwrap_or(u32::MAX);
    let writer = text("writer").unwrap_or("of the same version").to_owned();
    Ok(Header { format: FORMAT.to_owned(), version, writer })
}

fn write_line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// The next line without its end; `None` at the end of the stream.
fn next_line(from: &mut impl BufRead, line: usize) -> Result<Option<Vec<u8>>, ReadError> {
    let mut text = Vec::new();
    let read = io::Read::take(&mut *from, LONGEST_LINE).read_until(b'\n', &mut text)?;
    match read {
        0 => Ok(None),
        _ if text.last() == Some(&b'\n') => {
            text.pop();
            Ok(Some(text))
        }
        _ if text.len() as u64 == LONGEST_LINE => Err(ReadError::TooLong { line }),
        _ => Ok(Some(text)),
    }
}
