use std::io::{self, Cursor, Read as _, Write};
use std::os::unix::ffi::OsStringExt as _;

use oci::Digest;
use proptest::prelude::*;

use super::*;
use crate::testing::{Blob, entry, file, node, noise, pack, read_all, tree};
use crate::{Entry, EntryKind};

fn options(compression: Compression) -> LayerOptions {
    LayerOptions { compression, ..LayerOptions::default() }
}

const ALL: [Compression; 3] =
    [Compression::Gzip, Compression::Zstd { level: 3 }, Compression::None];

fn plain(blob: &[u8]) -> Vec<u8> {
    let mut plain = inflate::Plain::new(Cursor::new(blob.to_vec()), Limits::default());
    let mut bytes = vec![0; 64 << 20];
    let count = plain.fill(&mut bytes).unwrap();
    bytes.truncate(count);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(tree in tree(), which in 0..3_usize) {
        let (layer, blob) = pack(&tree, &options(ALL[which]));
        prop_assert_eq!(layer.descriptor.digest, Digest::of(&blob));
        prop_assert_eq!(layer.descriptor.size, blob.len() as u64);
        let reader = LayerReader::new(Cursor::new(blob.clone()), Limits::default());
        let (found, diff_id) = read_all(reader.expecting(layer.diff_id));
        prop_assert_eq!(found, tree);
        prop_assert_eq!(diff_id, layer.diff_id);
        let plain = plain(&blob);
        prop_assert_eq!((Digest::of(&plain), plain.len() as u64), (layer.diff_id, layer.size));
    }

    #[test]
    fn others_read_the_same(tree in tree()) {
        // That reader ends records at the first line feed, whatever their length says.
        let is_cut = |entry: &Entry| {
            let values = entry.xattrs.values().any(|value| value.contains(&b'\n'));
            values || entry.path.as_os_str().as_encoded_bytes().contains(&b'\n')
        };
        prop_assume!(!tree.iter().any(|(entry, _)| is_cut(entry)));
        let (_, blob) = pack(&tree, &options(Compression::None));
        let mut archive = tar::Archive::new(&blob[..]);
        let mut nodes = tree.iter();
        for found in archive.entries().unwrap() {
            let mut found = found.unwrap();
            let (entry, content) = nodes.next().unwrap();
            let path = found.path().unwrap().into_owned();
            prop_assert_eq!(&path, &entry.path);
            if let EntryKind::Symlink { target } = &entry.kind {
                prop_assert_eq!(&found.link_name_bytes().unwrap()[..], target.as_os_str().as_encoded_bytes());
            }
            prop_assert_eq!(found.header().mode().unwrap(), entry.mode);
            let mut bytes = Vec::new();
            found.read_to_end(&mut bytes).unwrap();
            prop_assert_eq!(&bytes, content);
        }
        prop_assert!(nodes.next().is_none());
    }
}

/// A few large files, half of them text.
fn large() -> Vec<crate::testing::Node> {
    let text = b"All work and no play makes Jack a dull boy. ".repeat(30_000);
    let contents =
        [noise(1_500_000, 7), text, noise(10, 1), [&[0; 30_000][..], &noise(70_000, 3)].concat()];
    let nodes = contents.into_iter().enumerate().map(|(number, content)| {
        (entry(&format!("f{number}"), EntryKind::File { size: content.len() as u64 }), content)
    });
    nodes.collect()
}

#[test]
fn bytes_do_not_depend_on_threads_and_order() {
    let nodes = large();
    for compression in ALL {
        let expected = pack(&nodes, &options(compression));
        assert_eq!(
            read_all(LayerReader::new(Cursor::new(expected.1.clone()), Limits::default())).0,
            nodes
        );
        let mut reversed = nodes.clone();
        reversed.reverse();
        for threads in [1, 3, 8] {
            let options = LayerOptions { threads, ..options(compression) };
            assert_eq!(pack(&reversed, &options), expected, "{threads} threads, {compression:?}");
        }
    }
}

#[test]
fn random_bytes_do_not_grow_and_text_shrinks() {
    let (layer, _) = pack(&large(), &options(Compression::Gzip));
    let random = 1_570_010;
    assert!(layer.descriptor.size > random, "{layer:?}");
    assert!(layer.descriptor.size < random + 30_000, "{layer:?}");
}

/// Who changes the encoder or the archive changes the digest of every image: not by accident.
#[test]
fn digests_stay_what_they_are() {
    let mut nodes = large();
    nodes.push(node("d", EntryKind::Directory));
    nodes.push(file("d/empty", ""));
    nodes.push(node("d/gone", EntryKind::Whiteout));
    nodes.push((Entry { uid: 3_000_000, mtime: -1, ..entry("d/x", EntryKind::Fifo) }, Vec::new()));
    let digests = ALL.map(|compression| {
        let (layer, _) = pack(&nodes, &options(compression));
        (layer.diff_id.to_string(), layer.descriptor.digest.to_string())
    });
    let diff_id = "sha256:3e925dd347e1a4075e78a7d311fa8867cad8ebecf8628dadee7f400caf11e451";
    let expected = [
        (diff_id, "sha256:e33e71091dec5821e9628cc85aae692dbf5290f7c03c74e3b5d1e24184b0952e"),
        (diff_id, "sha256:5ce804898d30975d363b6559d2d43be573f9d05d1f2cf628cd41b6da3621ca15"),
        (diff_id, diff_id),
    ];
    assert_eq!(digests, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn later_times_become_the_given_one() {
    let nodes = [
        (Entry { mtime: 5, ..entry("a", EntryKind::Fifo) }, Vec::new()),
        (Entry { mtime: 50, ..entry("b", EntryKind::Fifo) }, Vec::new()),
    ];
    let options = LayerOptions { source_date_epoch: Some(10), ..LayerOptions::default() };
    let (found, _) =
        read_all(LayerReader::new(Cursor::new(pack(&nodes, &options).1), Limits::default()));
    assert_eq!(found.iter().map(|(entry, _)| entry.mtime).collect::<Vec<_>>(), [5, 10]);
}

#[test]
fn what_is_gone_is_named_as_the_specification_says() {
    let nodes = [
        node("a", EntryKind::Directory),
        node("a", EntryKind::Opaque),
        node("a/b", EntryKind::Whiteout),
        node("c", EntryKind::Whiteout),
        node("", EntryKind::Opaque),
        node("l", EntryKind::Hardlink { target: "a/f".into() }),
    ];
    let (_, blob) = pack(&nodes, &options(Compression::None));
    let mut archive = tar::Archive::new(&blob[..]);
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|found| found.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(names, [".wh..wh..opq", ".wh.c", "a/", "a/.wh..wh..opq", "a/.wh.b", "l"]);
    let (found, _) = read_all(LayerReader::archive(Cursor::new(blob), Limits::default()));
    assert_eq!(found[1].0.path.to_str(), Some(".wh.c"));
}

#[test]
fn entries_that_cannot_be_there_are_refused() {
    let refused = |entries: &[Entry]| {
        let mut writer = LayerWriter::new(io::sink(), &LayerOptions::default());
        let result = entries.iter().try_for_each(|entry| writer.add_empty(entry));
        result.unwrap_err().to_string()
    };
    let fifo = |path: &str| entry(path, EntryKind::Fifo);
    let cases = [
        (vec![fifo("b"), fifo("a")], "`a` was added behind `b`, and belongs before it"),
        (vec![fifo("a"), fifo("a")], "`a` was added behind `a`, and belongs before it"),
        (vec![fifo("/a")], "`/a` is no path of a layer"),
        (vec![fifo("a/../b")], "`a/../b` is no path of a layer"),
        (vec![fifo("a/./b")], "`a/./b` is no path of a layer"),
        (vec![fifo("a//b")], "`a//b` is no path of a layer"),
        (vec![fifo("a/")], "`a/` is no path of a layer"),
        (vec![fifo("")], "`` is no path of a layer"),
        (
            vec![entry("a", EntryKind::Hardlink { target: "../b".into() })],
            "`../b` is no path of a layer",
        ),
        (
            vec![fifo("a/.wh.b")],
            "`a/.wh.b` cannot be in an image: a name that begins with `.wh.` marks a removed file",
        ),
        (
            vec![entry("a", EntryKind::File { size: 1 })],
            "`a` has 0 bytes, expected 1: it changed while it was read",
        ),
    ];
    for (entries, expected) in cases {
        assert_eq!(refused(&entries), expected);
    }
    let mut writer = LayerWriter::new(io::sink(), &LayerOptions::default());
    let longer =
        writer.add(&entry("a", EntryKind::File { size: 2 }), &mut &b"abc"[..]).unwrap_err();
    assert_eq!(longer.to_string(), "`a` has 3 bytes, expected 2: it changed while it was read");
    let options = options(Compression::Zstd { level: 99 });
    let level = LayerWriter::new(io::sink(), &options).finish().unwrap_err();
    assert_eq!(level.to_string(), "zstd has no level 99, expected 1 to 19");
}

/// A disk that is full after some bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_from_other_troubles() {
    for room in [0, 100_000, 1_000_000] {
        for compression in ALL {
            let mut writer = LayerWriter::new(Full(room), &options(compression));
            let all = large()
                .iter()
                .try_for_each(|(entry, content)| writer.add(entry, &mut &content[..]));
            let error = all.and_then(|()| writer.finish().map(drop)).unwrap_err();
            let fault = report::Fault::from(error);
            assert_eq!((fault.code.as_str(), fault.causes.len()), ("build.disk", 2), "{fault:?}");
        }
    }
}

#[test]
fn a_layer_without_entries_is_two_empty_blocks() {
    let writer = LayerWriter::new(Blob::default(), &options(Compression::None));
    let layer = writer.finish().unwrap();
    assert_eq!((layer.size, layer.diff_id), (1024, Digest::of(&[0; 1024])));
}

#[test]
fn a_tar_may_begin_with_a_name_that_is_a_mark_of_a_format() {
    for name in ["BZh91AY", "7z", "\u{1f}", "PK"] {
        let tree = [file(name, "content")];
        let (layer, blob) = pack(&tree, &options(Compression::None));
        let reader = LayerReader::new(Cursor::new(blob), Limits::default());
        assert_eq!(read_all(reader), (tree.to_vec(), layer.diff_id), "{name}");
    }
    // Names need not be text.
    let name = std::ffi::OsString::from_vec(b"\x1f\x8b\x08".to_vec());
    let mut tree = [file("x", "content")];
    tree[0].0.path = name.into();
    let (layer, blob) = pack(&tree, &options(Compression::None));
    let reader = LayerReader::new(Cursor::new(blob), Limits::default());
    assert_eq!(read_all(reader), (tree.to_vec(), layer.diff_id));
}

#[test]
fn chain_ids_follow_the_specification() {
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    assert_eq!(chain_id(None, &one), one);
    assert_eq!(chain_id(Some(&one), &two), Digest::of(format!("{one} {two}").as_bytes()));
}
