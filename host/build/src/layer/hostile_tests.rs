//! Archives that somebody made to hurt, or by mistake.

use std::io::{self, Cursor, Read};

use oci::Digest;
use proptest::prelude::*;

use super::*;
use crate::testing::{pack, raw, raw_reader};

/// Reads all, and what it comes to: paths, or the error.
fn outcome(mut reader: LayerReader) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    loop {
        match reader.next_entry() {
            Ok(Some(entry)) => paths.push(entry.path.display().to_string()),
            Ok(None) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    reader.finish().map_err(|error| error.to_string())?;
    Ok(paths)
}

fn bytes(bytes: impl Into<Vec<u8>>) -> LayerReader {
    LayerReader::new(Cursor::new(bytes.into()), Limits::default())
}

fn pax(records: &[(&str, &str)]) -> String {
    let mut text = Vec::new();
    records.iter().for_each(|(key, value)| pax::push(&mut text, key.as_bytes(), value.as_bytes()));
    String::from_utf8(text).unwrap()
}

#[test]
fn paths_stay_inside() {
    type Entries<'a> = &'a [(&'a str, u8, &'a str, &'a str)];
    let cases: [(Entries<'_>, Result<&[&str], &str>); 9] = [
        (&[("/etc/passwd", b'0', "", "x"), ("./a//b/", b'5', "", "")], Ok(&["etc/passwd", "a/b"])),
        (&[("a/../b", b'0', "", "")], Ok(&["b"])),
        (&[("../a", b'0', "", "")], Err("the archive has the path `../a`, which leads out of it")),
        (
            &[("a/../../b", b'0', "", "")],
            Err("the archive has the path `a/../../b`, which leads out of it"),
        ),
        (
            &[("a", b'1', "../../b", "")],
            Err("the archive has the path `../../b`, which leads out of it"),
        ),
        (&[("a", b'2', "../../b", "")], Ok(&["a"])),
        (
            &[("", b'0', "", "")],
            Err("the archive is damaged at byte 0: a root that is no directory"),
        ),
        (&[("./", b'5', "", "")], Ok(&[""])),
        (
            &[("a", b'2', "", "")],
            Err("the archive is damaged at byte 0: a symbolic link to nothing"),
        ),
    ];
    for (headers, expected) in cases {
        let expected = expected.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect());
        assert_eq!(outcome(raw_reader(headers)), expected.map_err(str::to_owned), "{headers:?}");
    }
}

#[test]
fn marks_make_sense_or_are_refused() {
    let check = |name: &str, expected: Result<&[&str], &str>| {
        let expected = expected.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect());
        let expected = expected.map_err(|what| format!("the archive is damaged at byte 0: {what}"));
        assert_eq!(outcome(raw_reader(&[(name, b'0', "", "")])), expected, "{name}");
    };
    check("a/.wh.b", Ok(&["a/b"]));
    check("a/.wh..wh..opq", Ok(&["a"]));
    check(".wh..wh.plnk/1.2", Ok(&[]));
    check("a/.wh..wh.aufs", Ok(&[]));
    let nothing = Err("a mark that says nothing is gone");
    check("a/.wh.", nothing);
    check("a/.wh..", nothing);
    check("a/.wh...", nothing);
    check(".wh.a/b", Err("a file below one that is gone"));
}

#[test]
fn extended_headers_say_what_comes_next() {
    let long = "n".repeat(200);
    let records = pax(&[("path", &format!("d/{long}")), ("uid", "3000000000"), ("mtime", "-1.5")]);
    let xattr = pax(&[("SCHILY.xattr.user.a", "v=1"), ("comment", "c"), ("gid", "")]);
    let global = pax(&[("path", "nobody")]);
    let headers = [
        ("g", b'g', "", global.as_str()),
        ("x", b'x', "", &records),
        ("x", b'x', "", &xattr),
        ("short", b'0', "", "content"),
        ("L", b'L', "", "gnu\0"),
        ("K", b'K', "", "target\0"),
        ("other", b'2', "t", ""),
        ("last", b'\0', "", ""),
        ("old/", b'\0', "", ""),
    ];
    let mut reader = raw_reader(&headers);
    let first = reader.next_entry().unwrap().unwrap();
    assert_eq!(first.path.to_str().unwrap(), format!("d/{long}"));
    assert_eq!((first.uid, first.gid, first.mtime), (3_000_000_000, 0, -2));
    assert_eq!(first.xattrs, [("user.a".into(), b"v=1".to_vec())].into());
    let mut content = String::new();
    reader.read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
    let second = reader.next_entry().unwrap().unwrap();
    let kind = crate::EntryKind::Symlink { target: "target".into() };
    assert_eq!((second.path.to_str(), second.kind), (Some("gnu"), kind));
    let third = reader.next_entry().unwrap().unwrap();
    assert_eq!((third.path.to_str(), third.xattrs.len()), (Some("last"), 0));
    assert_eq!(reader.next_entry().unwrap().unwrap().kind, crate::EntryKind::Directory);
    assert_eq!(reader.next_entry().unwrap(), None);
}

#[test]
fn what_is_damaged_is_said() {
    let good = raw(&[("a", b'0', "", "content")]);
    let mut flipped = good.clone();
    flipped[0] ^= 1;
    let cases = [
        (flipped, "the archive is damaged at byte 0: the checksum of a header is wrong"),
        (good[..515].to_vec(), "the archive ends early, in `a`"),
        (good[..100].to_vec(), "the archive ends early"),
        (
            [&[0; 512], &good[..]].concat(),
            "the archive is damaged at byte 512: a lone empty block before it",
        ),
        (raw(&[("a", b'S', "", "")]), "`a` is a sparse file, which is not supported"),
        (
            raw(&[("x", b'x', "", &pax(&[("GNU.sparse.major", "1")])), ("a", b'0', "", "")]),
            "`a` is a sparse file, which is not supported",
        ),
        (
            raw(&[("a", b'Z', "", "")]),
            "`a` is of a type that no archive of POSIX has, which is not supported",
        ),
        (
            raw(&[("x", b'x', "", "9 a=b\n")]),
            "the archive is damaged at byte 0: an extended header that is none",
        ),
        (
            raw(&[("x", b'x', "", &pax(&[("uid", "4294967295")]))]),
            "the archive is damaged at byte 0: an owner that cannot be",
        ),
        (
            raw(&[("x", b'x', "", &pax(&[("path", "a\0b")])), ("a", b'0', "", "")]),
            "the archive is damaged at byte 1024: a name with a NUL",
        ),
        (
            raw(&[("x", b'x', "", &pax(&[("size", "-1")]))]),
            "the archive is damaged at byte 0: an extended header without its number",
        ),
        (
            raw(&[("x", b'x', "", &pax(&[("size", "18446744073709551615")])), ("a", b'0', "", "")]),
            "the archive has more than 274877906944 bytes",
        ),
        (
            raw(&[("x", b'x', "", &pax(&[("path", &"n".repeat(256))])), ("a", b'0', "", "")]),
            "the archive has more than 255 bytes in a name",
        ),
        (
            raw(&[("x", b'x', "", &pax(&[("path", &"n/".repeat(2500))])), ("a", b'0', "", "")]),
            "the archive has more than 4096 bytes in a path",
        ),
    ];
    for (archive, expected) in cases {
        assert_eq!(outcome(bytes(archive)).unwrap_err(), expected);
    }
    assert_eq!(outcome(bytes("")), Ok(Vec::new()));
    assert_eq!(outcome(bytes(&good[..1024])), Ok(vec!["a".to_owned()]));
}

#[test]
fn a_large_extended_header_is_not_read() {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[156] = b'x';
    header.set_size(1 << 40);
    header.set_cksum();
    let error = outcome(bytes(header.as_bytes().to_vec())).unwrap_err();
    assert_eq!(error, "the archive has more than 1048576 bytes in an extended header");
}

#[test]
fn limits_are_kept() {
    let nodes: Vec<_> = (0..5).map(|n| crate::testing::file(&format!("f{n}"), "content")).collect();
    let (_, blob) = pack(&nodes, &LayerOptions::default());
    let read = |limits| outcome(LayerReader::new(Cursor::new(blob.clone()), limits));
    let few = Limits { entries: 4, ..Limits::default() };
    assert_eq!(read(few).unwrap_err(), "the archive has more than 4 entries");
    let small = Limits { bytes: 1000, ..Limits::default() };
    assert_eq!(read(small).unwrap_err(), "the archive has more than 1000 bytes");
    assert_eq!(read(Limits { entries: 5, ..Limits::default() }).unwrap().len(), 5);
}

/// One frame of zeros again and again: 1 MiB from 50 bytes.
struct Bomb {
    frame: Vec<u8>,
    at: usize,
}

impl Read for Bomb {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.frame[self.at..]).read(buffer)?;
        self.at = (self.at + count) % self.frame.len();
        Ok(count)
    }
}

#[test]
fn a_bomb_is_found_before_it_fills_the_disk() {
    let frame = zstd::bulk::compress(&vec![0; 1 << 20], 19).unwrap();
    assert!(frame.len() < 100);
    let error = LayerReader::new(Bomb { frame, at: 0 }, Limits::default()).finish().unwrap_err();
    assert!(matches!(error, ReadError::Bomb { ratio: 500, .. }), "{error}");
}

#[test]
fn broken_compression_is_no_broken_disk() {
    let (_, blob) =
        pack(&[crate::testing::file("a", &"text".repeat(1000))], &LayerOptions::default());
    let mut wrong = blob.clone();
    let end = wrong.len() - 6;
    wrong[end] ^= 1;
    for damaged in [&wrong[..], &blob[..40]] {
        let error = bytes(damaged).finish().unwrap_err();
        assert!(matches!(error, ReadError::Compression { format: "gzip", .. }), "{error:?}");
    }

    struct Gone;
    impl Read for Gone {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let error = LayerReader::new(Cursor::new(blob[..40].to_vec()).chain(Gone), Limits::default());
    let error = error.finish().unwrap_err();
    assert!(matches!(error, ReadError::Source { .. }), "{error:?}");
}

#[test]
fn other_plain_bytes_than_listed_are_noticed() {
    let error = bytes(raw(&[])).expecting(Digest::of(b"other")).finish().unwrap_err();
    assert!(matches!(error, ReadError::DiffId(_)), "{error:?}");
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_error_or_not_at_all(
        noise in prop::collection::vec(any::<u8>(), 0..1500),
        at in 0..512_usize,
        with in any::<u8>(),
        seal in any::<bool>(),
    ) {
        _ = outcome(bytes(noise));
        // A header with one other byte, and the checksum that belongs to it.
        let mut archive = raw(&[("a", b'0', "", "content"), ("b", b'x', "", "9 path=b\n")]);
        archive[at] = with;
        if seal {
            let mut block = block::Block(archive[..512].try_into().unwrap());
            block.seal();
            archive[..512].copy_from_slice(&block.0);
        }
        _ = outcome(bytes(archive));
    }
}
