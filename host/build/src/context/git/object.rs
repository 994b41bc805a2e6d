//! Objects: commits, trees, blobs, tags, and their names.

use std::fmt;

use super::{GitError, broken};

/// The name of an object: the SHA-1 of what it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(pub(super) [u8; 20]);

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) data: Vec<u8>,
}

/// Where objects are.
pub(super) trait Objects {
    /// The object `id`, held against its name.
    fn read(&self, id: Id) -> Result<Option<Object>, GitError>;
}

/// One line of a tree.
pub(super) struct TreeEntry<'a> {
    pub(super) mode: u32,
    pub(super) name: &'a [u8],
    pub(super) id: Id,
}

/// 1 GiB: objects are held in memory.
pub(super) const LARGEST_OBJECT: u64 = 1 << 30;

impl Id {
    /// Of 40 hexadecimal digits.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut id = [0; 20];
        let (pairs, rest) = text.as_chunks::<2>();
        if pairs.len() != id.len() || !rest.is_empty() {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        for (byte, [high, low]) in id.iter_mut().zip(pairs) {
            *byte = (digit(*high)? << 4) | digit(*low)?;
        }
        Some(Self(id))
    }

    /// That of an object.
    pub(super) fn of(kind: Kind, data: &[u8]) -> Result<Self, GitError> {
        let mut hasher = sha1dc::Hasher::new();
        hasher.update(format!("{} {}\0", kind.noun(), data.len()).as_bytes());
        hasher.update(data);
        match hasher.finalize() {
            Ok(digest) => Ok(Self(*digest.as_bytes())),
            Err(_) => Err(broken("an object was made to have the same name as another")),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Kind {
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    pub(super) fn parse(noun: &[u8]) -> Option<Self> {
        [Self::Commit, Self::Tree, Self::Blob, Self::Tag]
            .into_iter()
            .find(|kind| kind.noun().as_bytes() == noun)
    }
}

/// The value of the header `name` of a commit or a tag.
pub(super) fn header<'a>(data: &'a [u8], name: &str) -> Option<&'a [u8]> {
    data.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty()).find_map(|line| {
        line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b" "))
    })
}

/// When a commit was committed: the number before the zone in `Name <mail> 1700000000 +0100`.
pub(super) fn commit_time(data: &[u8]) -> Option<i64> {
    let committer = header(data, "committer")?;
    let text = std::str::from_utf8(committer.rsplit(|byte| *byte == b'>').next()?).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// The lines of a tree.
pub(super) fn tree_entries(data: &[u8]) -> impl Iterator<Item = Option<TreeEntry<'_>>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = tree_entry(&mut rest);
        if entry.is_none() {
            rest = &[];
        }
        Some(entry)
    })
}

fn tree_entry<'a>(rest: &mut &'a [u8]) -> Option<TreeEntry<'a>> {
    let data = *rest;
    let space = data.iter().position(|byte| *byte == b' ')?;
    let (mode, data) = data.split_at_checked(space)?;
    let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
    let data = data.get(1..)?;
    let end = data.iter().position(|byte| *byte == 0)?;
    let (name, data) = data.split_at_checked(end)?;
    let (id, data) = data.get(1..)?.split_first_chunk()?;
    *rest = data;
    Some(TreeEntry { mode, name, id: Id(*id) })
}
