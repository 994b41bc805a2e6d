//! `ADD` of a tar: what is in it is copied, not the file.

use std::io::Read;
use std::path::Path;

use super::source::Opened;
use crate::context::matches;
use crate::engine::Engine;
use crate::error::Error;
use crate::layer::{LayerReader, Limits};
use crate::store::Work;
use crate::tree::Kind;

/// The bytes by which a tar, or a compressed one, is known: a whole header of a tar.
const HEAD: u64 = 512;

/// How compressed files begin.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const BZIP2: &[u8] = b"BZh";
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];

/// Where a tar says that it is one, and how (POSIX, "ustar Interchange Format").
const USTAR_AT: usize = 257;
const USTAR: &[u8] = b"ustar";

fn may_be_tar(head: &[u8]) -> bool {
    let is_ustar = head.get(USTAR_AT..).is_some_and(|rest| rest.starts_with(USTAR));
    is_ustar || [GZIP, ZSTD, BZIP2, XZ].iter().any(|magic| head.starts_with(magic))
}

/// `opened` with those of its files that are tars replaced by what is in them.
pub(super) fn unpack(opened: Opened, engine: &Engine, work: &Work) -> Result<Vec<Opened>, Error> {
    let source = opened.source();
    let found = matches(&source)?;
    let mut archives = Vec::new();
    for found in &found {
        if found.metadata.kind != Kind::File {
            continue;
        }
        let file = source.origin.tree.open(&found.path);
        let mut file = file.map_err(Error::io("opening a file that is added"))?;
        let mut head = Vec::new();
        let read = file.by_ref().take(HEAD).read_to_end(&mut head);
        read.map_err(Error::io("reading a file that is added"))?;
        if may_be_tar(&head) {
            // A file may be compressed and no tar: the first header tells.
            let again = source.origin.tree.open(&found.path);
            let again = again.map_err(Error::io("opening a file that is added"))?;
            let mut reader = LayerReader::archive(again, Limits::default());
            if matches!(reader.next_entry(), Ok(Some(_))) {
                archives.push(found.path.clone());
            }
        }
    }
    if archives.is_empty() {
        return Ok(vec![opened]);
    }
    let each = found.iter().map(|found| match archives.contains(&found.path) {
        true => unpacked(&source, &found.path, engine, work),
        false => opened.only(&found.named),
    });
    each.collect()
}

fn unpacked(
    source: &crate::context::Source<'_>,
    path: &Path,
    engine: &Engine,
    work: &Work,
) -> Result<Opened, Error> {
    let file = source.origin.tree.open(path).map_err(Error::io("opening a tar"))?;
    let content = engine.unpack_archive(file, work)?;
    Ok(Opened::unpacked(content, path.display().to_string()))
}
