//! Random file trees, and layers in memory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Cursor, Read as _, Write};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::layer::{
    Compression, Layer, LayerOptions, LayerReader, LayerWriter, Limits, with_parents,
};
use crate::overlay::Rights;
use crate::{Entry, EntryKind};

/// An entry and its content.
pub(crate) type Node = (Entry, Vec<u8>);

/// A sink that can be looked into.
#[derive(Clone, Default)]
pub(crate) struct Blob(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Blob {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Blob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An entry of root's, with mode 0755 and some time.
pub(crate) fn entry(path: &str, kind: EntryKind) -> Entry {
    let path = path.into();
    Entry { path, kind, mode: 0o755, uid: 0, gid: 0, mtime: 1_700_000_000, xattrs: BTreeMap::new() }
}

/// A file with this content.
pub(crate) fn file(path: &str, content: &str) -> Node {
    let size = content.len() as u64;
    (Entry { mode: 0o644, ..entry(path, EntryKind::File { size }) }, content.as_bytes().to_vec())
}

/// Something without content.
pub(crate) fn node(path: &str, kind: EntryKind) -> Node {
    (entry(path, kind), Vec::new())
}

/// `nodes` as a blob, sorted.
pub(crate) fn pack(nodes: &[Node], options: &LayerOptions) -> (Layer, Vec<u8>) {
    let mut nodes = nodes.to_vec();
    crate::layer::sort(&mut nodes, |(entry, _)| entry);
    let blob = Blob::default();
    let mut writer = LayerWriter::new(blob.clone(), options);
    for (entry, content) in &nodes {
        writer.add(entry, &mut &content[..]).unwrap();
    }
    let layer = writer.finish().unwrap();
    (layer, blob.bytes())
}

/// `nodes` as a reader.
pub(crate) fn reader(nodes: &[Node]) -> LayerReader {
    let options = LayerOptions { compression: Compression::None, ..LayerOptions::default() };
    let (layer, blob) = pack(nodes, &options);
    LayerReader::new(Cursor::new(blob), Limits::default()).expecting(layer.diff_id)
}

/// All that is in `reader`.
pub(crate) fn read_all(mut reader: LayerReader) -> (Vec<Node>, oci::Digest) {
    let mut nodes = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        nodes.push((entry, content));
    }
    (nodes, reader.finish().unwrap().0)
}

/// The rights that these tests have: root keeps owners, others write them down.
pub(crate) fn rights() -> Rights {
    match rustix::process::geteuid().is_root() {
        true => Rights::root(),
        false => Rights::single(),
    }
}

/// Bytes that look like nothing, always the same.
pub(crate) fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(size);
    bytes
}

/// A file tree in which everything has its directory, in the order of a layer.
pub(crate) fn tree() -> impl Strategy<Value = Vec<Node>> {
    let name = prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "c", "d e", "-", "~", "ä"])
            .prop_map(|name| name.as_bytes().to_vec()),
        1 => vec(prop_oneof![1..=b'.', b'0'..=255_u8], 1..40),
        // Four bytes are left for the mark of what is gone, `.wh.`.
        1 => (90_usize..252).prop_map(|length| vec![b'n'; length]),
    ];
    // Neither `.` nor `..`, nor what is reserved.
    let name = name.prop_filter("a name", |name| !name.starts_with(b"."));
    let path =
        vec(name, 1..5).prop_map(|names| PathBuf::from(OsString::from_vec(names.join(&b'/'))));
    btree_map(path, thing(), 0..12).prop_map(|things| {
        let mut kept: BTreeMap<PathBuf, Node> = BTreeMap::new();
        for (path, (mut entry, content)) in things {
            // Sorted: whatever is above came before.
            let is_below_file = path
                .ancestors()
                .skip(1)
                .any(|above| kept.get(above).is_some_and(|(e, _)| e.kind != EntryKind::Directory));
            if !is_below_file {
                entry.path.clone_from(&path);
                kept.insert(path, (entry, content));
            }
        }
        let entries = kept.values().map(|(entry, _)| entry.clone()).collect();
        let parents = with_parents(entries, |_| None);
        parents
            .into_iter()
            .map(|entry| kept.remove(&entry.path).unwrap_or((entry, Vec::new())))
            .collect()
    })
}

/// What may be at a path: a file, a directory, a link or a pipe.
fn thing() -> impl Strategy<Value = Node> {
    let kind = prop_oneof![
        4 => vec(any::<u8>(), 0..2000).prop_map(|content| {
            (EntryKind::File { size: content.len() as u64 }, content)
        }),
        3 => Just((EntryKind::Directory, Vec::new())),
        1 => "[a-z./]{1,150}".prop_map(|target| {
            (EntryKind::Symlink { target: target.into() }, Vec::new())
        }),
        1 => Just((EntryKind::Fifo, Vec::new())),
    ];
    let ids = || prop_oneof![Just(0_u32), 1..70_000_u32, Just(3_000_000_000)];
    let mtime = prop_oneof![0..2_000_000_000_i64, -1000..0_i64, Just(9_000_000_000)];
    // No empty names, and none that only root may set.
    let xattr = ("user\\.[a-z]{1,10}".prop_map(OsString::from), vec(any::<u8>(), 0..40));
    (kind, 0..0o10000_u32, ids(), ids(), mtime, prop::option::weighted(0.2, xattr)).prop_map(
        |((kind, content), mode, uid, gid, mtime, xattr)| {
            let has_xattrs = matches!(kind, EntryKind::File { .. } | EntryKind::Directory);
            let mode = if matches!(kind, EntryKind::Symlink { .. }) { 0o777 } else { mode };
            let xattrs = xattr.into_iter().filter(|_| has_xattrs).collect();
            let path = PathBuf::new();
            (Entry { path, kind, mode, uid, gid, mtime, xattrs }, content)
        },
    )
}

/// The entries that turn the tree `old` into `new`, as a layer says it.
pub(crate) fn changes(old: &[Node], new: &[Node]) -> Vec<Node> {
    let is_in = |path: &Path, tree: &[Node]| tree.iter().any(|(entry, _)| entry.path == path);
    let is_directory = |path: &Path, tree: &[Node]| {
        path.as_os_str().is_empty()
            || tree.iter().any(|(e, _)| e.path == path && e.kind == EntryKind::Directory)
    };
    let mut layer = new.to_vec();
    for (entry, _) in old {
        let parent = entry.path.parent().unwrap();
        // Below what is gone, or no directory any more, nothing has to be said.
        if !is_in(&entry.path, new) && is_directory(parent, new) && is_directory(parent, old) {
            let mut gone = node("", EntryKind::Whiteout);
            gone.0.path.clone_from(&entry.path);
            layer.push(gone);
        }
    }
    crate::layer::sort(&mut layer, |(entry, _)| entry);
    layer
}

/// An archive of headers that no writer of ours would make: name, type, link, content.
pub(crate) fn raw(headers: &[(&str, u8, &str, &str)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, flag, link, content) in headers {
        let mut header = tar::Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        bytes[156] = *flag;
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(content.as_bytes());
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// A reader of [`raw`].
pub(crate) fn raw_reader(headers: &[(&str, u8, &str, &str)]) -> LayerReader {
    LayerReader::new(Cursor::new(raw(headers)), Limits::default())
}
