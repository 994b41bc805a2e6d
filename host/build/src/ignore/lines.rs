//! The lines of an ignore file, as Docker reads them before it looks at patterns.

use super::IgnoreError;

/// One line that holds a pattern.
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    /// As written, without space around it.
    pub(super) text: String,
    /// Cleaned: see [`read`].
    pub(super) pattern: Vec<u8>,
}

/// Go's `bufio.Scanner` reads lines that are shorter.
const LONGEST_LINE: usize = 64 * 1024;

/// The patterns in `text`.
///
/// A byte order mark is left out. A line that *begins* with `#` is a comment; one with space before
/// the `#` is not. Then space around the pattern goes, also after `!`; then `.`, `..` and doubled `/`
/// as in Go's `filepath.Clean`, which takes the trailing `/` along; then one leading `/`.
pub(super) fn read(label: &str, text: &[u8]) -> Result<Vec<Line>, IgnoreError> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut lines = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        if line.len() >= LONGEST_LINE {
            let (label, length) = (label.to_owned(), line.len());
            return Err(IgnoreError::LineTooLong { label, line: number, length });
        }
        if line.starts_with(b"#") {
            continue;
        }
        let written = trim(line);
        if written.is_empty() {
            continue;
        }
        let (mark, pattern) = match written.strip_prefix(b"!") {
            Some(pattern) => (b"!".as_slice(), trim(pattern)),
            None => (b"".as_slice(), written),
        };
        let cleaned = if pattern.is_empty() { Vec::new() } else { clean(pattern) };
        let pattern = match cleaned.as_slice() {
            [b'/', rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };
        lines.push(Line {
            number,
            text: String::from_utf8_lossy(written).into_owned(),
            pattern: [mark, pattern].concat(),
        });
    }
    Ok(lines)
}

/// Without the white space around it, also that of Unicode.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let (mut start, mut end, mut at) = (None, 0, 0);
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        let trimmed = valid.trim();
        if !trimmed.is_empty() {
            start = start.or(Some(at + valid.len() - valid.trim_start().len()));
            end = at + valid.trim_end().len();
        }
        at += valid.len();
        if !chunk.invalid().is_empty() {
            start = start.or(Some(at));
            at += chunk.invalid().len();
            end = at;
        }
    }
    text.get(start.unwrap_or(end)..end).unwrap_or_default()
}

/// Go's `filepath.Clean`: the shortest path that means the same; `.` if nothing is left.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let is_rooted = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => _ = kept.pop(),
            b".." if is_rooted => {}
            _ => kept.push(name),
        }
    }
    let joined = kept.join(&b'/');
    match (is_rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
