//! Headers of entries, as few bytes as say it.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use super::block::{
    Block, GID, LINK, MAJOR, MINOR, MODE, MOST_OCTAL_8, MOST_OCTAL_12, MTIME, NAME, PREFIX, SIZE,
    UID,
};
use super::error::LayerError;
use super::{OPAQUE, WHITEOUT, pax};
use crate::{Entry, EntryKind};

/// What an attribute's record begins with.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";

/// Adds the headers of `entry` to `to`; `mtime` takes the place of its own.
pub(super) fn encode(entry: &Entry, mtime: i64, to: &mut Vec<u8>) -> Result<(), LayerError> {
    let name = name(entry)?;
    let (flag, link) = match &entry.kind {
        EntryKind::File { .. } | EntryKind::Whiteout | EntryKind::Opaque => (b'0', &b""[..]),
        EntryKind::Hardlink { target } => {
            check(target)?;
            (b'1', target.as_os_str().as_bytes())
        }
        EntryKind::Symlink { target } => (b'2', target.as_os_str().as_bytes()),
        EntryKind::CharacterDevice { .. } => (b'3', &b""[..]),
        EntryKind::BlockDevice { .. } => (b'4', &b""[..]),
        EntryKind::Directory => (b'5', &b""[..]),
        EntryKind::Fifo => (b'6', &b""[..]),
    };
    if link.contains(&0) {
        return Err(LayerError::Path { path: entry.path.clone() });
    }
    // What is gone has neither owner nor time.
    let is_mark = matches!(entry.kind, EntryKind::Whiteout | EntryKind::Opaque);
    let (mode, uid, gid, mtime) = match is_mark {
        true => (0, 0, 0, 0),
        false => (entry.mode & 0o7777, entry.uid, entry.gid, mtime),
    };
    let size = if let EntryKind::File { size } = entry.kind { size } else { 0 };

    let mut block = Block::new(flag);
    let mut records: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut record = |key: &[u8], value: &[u8]| records.push((key.to_vec(), value.to_vec()));

    match split(&name) {
        Some((prefix, rest)) => {
            block.put(PREFIX, prefix);
            block.put(NAME, rest);
        }
        None => {
            block.put(NAME, name.get(..NAME.len()).unwrap_or_default());
            record(b"path", &name);
        }
    }
    block.put(LINK, link.get(..LINK.len()).unwrap_or(link));
    if link.len() > LINK.len() {
        record(b"linkpath", link);
    }
    block.put_number(MODE, u64::from(mode));
    for (field, key, id) in [(UID, "uid", uid), (GID, "gid", gid)] {
        match u64::from(id) <= MOST_OCTAL_8 {
            true => block.put_number(field, u64::from(id)),
            false => {
                block.put_number(field, 0);
                record(key.as_bytes(), id.to_string().as_bytes());
            }
        }
    }
    match size <= MOST_OCTAL_12 {
        true => block.put_number(SIZE, size),
        false => {
            block.put_number(SIZE, 0);
            record(b"size", size.to_string().as_bytes());
        }
    }
    match u64::try_from(mtime).ok().filter(|mtime| *mtime <= MOST_OCTAL_12) {
        Some(mtime) => block.put_number(MTIME, mtime),
        None => {
            block.put_number(MTIME, 0);
            record(b"mtime", mtime.to_string().as_bytes());
        }
    }
    let (major, minor) = if let EntryKind::CharacterDevice { major, minor }
    | EntryKind::BlockDevice { major, minor } = entry.kind
    {
        (u64::from(major), u64::from(minor))
    } else {
        (0, 0)
    };
    if major > MOST_OCTAL_8 || minor > MOST_OCTAL_8 {
        return Err(unrepresentable(entry, "its device number is too large"));
    }
    block.put_number(MAJOR, major);
    block.put_number(MINOR, minor);
    if !is_mark {
        for (attribute, value) in &entry.xattrs {
            let attribute = attribute.as_bytes();
            if attribute.is_empty() || attribute.iter().any(|byte| matches!(byte, b'=' | 0)) {
                return Err(unrepresentable(entry, "the name of an extended attribute has `=`"));
            }
            record(&[XATTR, attribute].concat(), value);
        }
    }

    if !records.is_empty() {
        extend(&name, records, to);
    }
    block.seal();
    to.extend_from_slice(&block.0);
    Ok(())
}

/// Adds an extended header with these records.
fn extend(name: &[u8], mut records: Vec<(Vec<u8>, Vec<u8>)>, to: &mut Vec<u8>) {
    records.sort();
    let mut text = Vec::new();
    let is_text = |value: &Vec<u8>| std::str::from_utf8(value).is_ok();
    let names = [&b"path"[..], b"linkpath"];
    if records.iter().any(|(key, value)| names.contains(&&key[..]) && !is_text(value)) {
        // POSIX wants UTF-8 unless this is said; it comes before what it is about.
        pax::push(&mut text, b"hdrcharset", b"BINARY");
    }
    for (key, value) in records {
        pax::push(&mut text, &key, &value);
    }
    let last = name.strip_suffix(b"/").unwrap_or(name).rsplit(|byte| *byte == b'/').next();
    let title = [b"PaxHeaders.0/", last.unwrap_or_default()].concat();
    let mut block = Block::new(b'x');
    block.put(NAME, title.get(..NAME.len()).unwrap_or(&title));
    for (field, number) in [
        (MODE, 0o644),
        (UID, 0),
        (GID, 0),
        (SIZE, text.len() as u64),
        (MTIME, 0),
        (MAJOR, 0),
        (MINOR, 0),
    ] {
        block.put_number(field, number);
    }
    block.seal();
    to.extend_from_slice(&block.0);
    let padding = super::write::padding(text.len() as u64);
    to.extend_from_slice(&text);
    to.resize(to.len() + padding, 0);
}

/// The name in the archive.
fn name(entry: &Entry) -> Result<Vec<u8>, LayerError> {
    let path = entry.path.as_os_str().as_bytes();
    let is_root = path.is_empty();
    let is_directory = matches!(entry.kind, EntryKind::Directory | EntryKind::Opaque);
    if is_root && !is_directory {
        return Err(LayerError::Path { path: entry.path.clone() });
    }
    check(&entry.path)?;
    let reserved = |name: &Component<'_>| name.as_os_str().as_bytes().starts_with(WHITEOUT);
    if entry.path.components().any(|name| reserved(&name)) {
        return Err(LayerError::Reserved { path: entry.path.clone() });
    }
    let (parent, last) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => path.split_at(slash + 1),
        None => (&b""[..], path),
    };
    Ok(match entry.kind {
        EntryKind::Directory if is_root => b"./".to_vec(),
        EntryKind::Directory => [path, b"/"].concat(),
        EntryKind::Opaque if is_root => OPAQUE.to_vec(),
        EntryKind::Opaque => [path, b"/", OPAQUE].concat(),
        EntryKind::Whiteout => [parent, WHITEOUT, last].concat(),
        EntryKind::File { .. }
        | EntryKind::Symlink { .. }
        | EntryKind::Hardlink { .. }
        | EntryKind::CharacterDevice { .. }
        | EntryKind::BlockDevice { .. }
        | EntryKind::Fifo => path.to_vec(),
    })
}

/// That `path` is relative, plain and has no NUL, exactly as it is written.
fn check(path: &Path) -> Result<(), LayerError> {
    let bytes = path.as_os_str().as_bytes();
    let is_name = |name: &[u8]| !name.is_empty() && name != b"." && name != b"..";
    let is_plain = bytes.is_empty() || bytes.split(|byte| *byte == b'/').all(is_name);
    match is_plain && !bytes.contains(&0) {
        true => Ok(()),
        false => Err(LayerError::Path { path: path.to_owned() }),
    }
}

/// The name as prefix and rest, if the fields have room.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME.len() {
        return Some((b"", name));
    }
    // The slash of a directory's end splits nothing.
    let slashes =
        name.iter().enumerate().filter(|(at, byte)| **byte == b'/' && at + 1 < name.len());
    let fits = |at: &usize| *at > 0 && *at <= PREFIX.len() && name.len() - at - 1 <= NAME.len();
    let at = slashes.map(|(at, _)| at).find(fits)?;
    let (prefix, rest) = name.split_at(at);
    Some((prefix, rest.get(1..)?))
}

fn unrepresentable(entry: &Entry, what: &'static str) -> LayerError {
    LayerError::Unrepresentable { path: entry.path.clone(), what }
}
