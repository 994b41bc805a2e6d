//! What is remembered from run to run.
//!
//! A value of the state has at most a megabyte, so images are spread over a few pages by their names.
//! A page is read before any of its images is looked at, and written only if it is still the one that
//! was read. Where somebody else has written meanwhile, what they say of an image goes before what is
//! said here, since nobody knows who has looked first: they have told it, and what they have not seen
//! is seen by the next run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use images::Known;
use serde::{Deserialize, Serialize};
use windlass_plugin::{Error, Result};

use crate::host::Host;

/// So many pages; a number in the names of keys, so it can never change.
const PAGES: u64 = 16;

/// Runs that write at the same moment; each attempt is one of them being done.
const MOST_ATTEMPTS: usize = 100;

/// An image that was not looked at for so long is forgotten.
const FORGOTTEN_AFTER: u64 = 90 * DAY;

/// When an image was looked at is remembered to the day, so that most runs write nothing.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// What is remembered of an image that says what it was built on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Note {
    /// The digest of the image.
    pub of: String,
    /// The reference of its base.
    pub name: String,
    /// The digest that its base had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The platforms of the image.
    #[serde(default)]
    pub platforms: Vec<String>,
}

/// One page.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Page {
    #[serde(default)]
    images: BTreeMap<String, Record>,
}

/// What is remembered under one name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Record {
    #[serde(default)]
    known: Known,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Note>,
    /// When it was looked at, to the day.
    #[serde(default)]
    looked: u64,
}

impl Record {
    fn says_the_same(&self, other: &Self) -> bool {
        self.known == other.known && self.note == other.note
    }
}

/// A page that was read, and what is to be written.
#[derive(Debug, Default)]
struct Open {
    page: Page,
    version: Option<u64>,
    changes: BTreeMap<String, Record>,
}

/// All pages that were needed so far.
#[derive(Debug, Default)]
pub struct Book {
    open: RefCell<BTreeMap<u64, Open>>,
}

impl Book {
    /// What is known of `name`.
    ///
    /// # Errors
    /// Those of the host; `invalid.json` if what is there was written by somebody else.
    pub fn known(&self, host: &dyn Host, name: &str) -> Result<Option<Known>> {
        Ok(self.record(host, name)?.map(|record| record.known))
    }

    /// What `name` has said that it was built on.
    ///
    /// # Errors
    /// As [`Book::known`].
    pub fn note(&self, host: &dyn Host, name: &str) -> Result<Option<Note>> {
        Ok(self.record(host, name)?.and_then(|record| record.note))
    }

    fn record(&self, host: &dyn Host, name: &str) -> Result<Option<Record>> {
        let number = page_of(name);
        let mut open = self.open.borrow_mut();
        let page = match open.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(read(host, number)?),
        };
        Ok(page.page.images.get(name).cloned())
    }

    /// Will remember `known` of `name`, of which [`Book::known`] was asked before.
    pub fn remember(&self, name: &str, known: Known, now: u64) {
        self.write(name, Record { known, note: None, looked: now / DAY * DAY });
    }

    /// Will remember `note` of `name`, of which [`Book::note`] was asked before.
    pub fn remember_note(&self, name: &str, note: Note, now: u64) {
        let note = Some(note);
        self.write(name, Record { known: Known::default(), note, looked: now / DAY * DAY });
    }

    fn write(&self, name: &str, record: Record) {
        let mut open = self.open.borrow_mut();
        let Some(open) = open.get_mut(&page_of(name)) else { return };
        let is_known = open.page.images.get(name).is_some_and(|known| {
            known.says_the_same(&record) && known.looked.abs_diff(record.looked) < DAY
        });
        if !is_known {
            open.changes.insert(name.to_owned(), record);
        }
    }

    /// Writes what is new. The names of which somebody else has written meanwhile, and which stay as
    /// these have them.
    ///
    /// # Errors
    /// Those of the host.
    pub fn commit(self, host: &dyn Host, now: u64) -> Result<Vec<String>> {
        let mut lost = Vec::new();
        for (number, mut open) in self.open.into_inner() {
            let mut attempt = 0;
            while !open.changes.is_empty() {
                let mut page = open.page.clone();
                page.images.extend(open.changes.clone());
                page.images.retain(|_, record| now.saturating_sub(record.looked) < FORGOTTEN_AFTER);
                let text = serde_json::to_vec(&page)?;
                if host.save(&key(number), &text, open.version)? {
                    break;
                }
                attempt += 1;
                if attempt >= MOST_ATTEMPTS {
                    return Err(Error::new(
                        "transient.state",
                        "what was seen cannot be remembered: others write all the time",
                    )
                    .retryable());
                }
                let theirs = read(host, number)?;
                open.changes.retain(|name, _| {
                    let (was, is) = (open.page.images.get(name), theirs.page.images.get(name));
                    let stays = match (was, is) {
                        (None, None) => true,
                        (Some(was), Some(is)) => was.says_the_same(is),
                        (None, Some(_)) | (Some(_), None) => false,
                    };
                    if !stays {
                        lost.push(name.clone());
                    }
                    stays
                });
                open.page = theirs.page;
                open.version = theirs.version;
            }
        }
        Ok(lost)
    }
}

fn key(number: u64) -> String {
    format!("images-{number:x}")
}

fn read(host: &dyn Host, number: u64) -> Result<Open> {
    Ok(match host.load(&key(number))? {
        Some((value, version)) => Open {
            page: serde_json::from_slice(&value)?,
            version: Some(version),
            changes: BTreeMap::new(),
        },
        None => Open::default(),
    })
}

/// FNV-1a, which is the same in every version of every language.
fn page_of(name: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x100_0000_01b3;
    let hash = name.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    // The low bits of FNV are its weakest.
    (hash >> 32) % PAGES
}

#[cfg(test)]
mod tests;
