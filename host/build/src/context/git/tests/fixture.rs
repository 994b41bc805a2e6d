//! A small repository, written by hand: loose, packed, or served.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::super::object::{Id, Kind};

/// Objects by name, and references.
#[derive(Clone, Default)]
pub(super) struct Fixture {
    pub(super) objects: BTreeMap<Id, (Kind, Vec<u8>)>,
    pub(super) references: BTreeMap<String, Id>,
}

/// The commit that `main` is, and the tag `v1`.
pub(super) const TIME: i64 = 1_700_000_000;

pub(super) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

impl Fixture {
    /// A commit with files, a program, a link, a submodule and a directory; a branch with another.
    pub(super) fn usual() -> Self {
        let mut fixture = Self::default();
        let readme = fixture.add(Kind::Blob, b"read me\n");
        let program = fixture.add(Kind::Blob, b"#!/bin/sh\n");
        let link = fixture.add(Kind::Blob, b"app/run");
        let app = fixture.tree(&[("100644", "README", readme), ("100755", "run", program)]);
        let root = fixture.tree(&[
            ("100644", "README", readme),
            ("40000", "app", app),
            ("120000", "link", link),
            ("160000", "module", readme),
        ]);
        let main = fixture.commit(root, TIME);
        let tag = format!("object {main}\ntype commit\ntag v1\ntagger A <a> 5 +0000\n\nfirst\n");
        let tag = fixture.add(Kind::Tag, tag.as_bytes());
        let dev = fixture.commit(app, TIME + 60);
        for (name, id) in [
            ("HEAD", main),
            ("refs/heads/main", main),
            ("refs/heads/feature/dev", dev),
            ("refs/tags/v1", tag),
        ] {
            fixture.references.insert(name.to_owned(), id);
        }
        fixture
    }

    pub(super) fn add(&mut self, kind: Kind, data: &[u8]) -> Id {
        let id = Id::of(kind, data).unwrap();
        self.objects.insert(id, (kind, data.to_vec()));
        id
    }

    pub(super) fn tree(&mut self, entries: &[(&str, &str, Id)]) -> Id {
        let mut data = Vec::new();
        for (mode, name, id) in entries {
            data.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            data.extend_from_slice(&id.0);
        }
        self.add(Kind::Tree, &data)
    }

    pub(super) fn commit(&mut self, tree: Id, time: i64) -> Id {
        let text = format!(
            "tree {tree}\nauthor A B <a@b> 1 +0000\ncommitter C > D <c@d> {time} -0130\n\nmessage\n"
        );
        self.add(Kind::Commit, text.as_bytes())
    }

    /// As a bare repository, every object in its file.
    pub(super) fn write_loose(&self, at: &Path) {
        self.write_references(at);
        for (id, (kind, data)) in &self.objects {
            let name = id.to_string();
            let directory = at.join("objects").join(&name[..2]);
            fs_err::create_dir_all(&directory).unwrap();
            let header = format!("{} {}\0", kind.noun(), data.len());
            let bytes = deflate(&[header.as_bytes(), data].concat());
            fs_err::write(directory.join(&name[2..]), bytes).unwrap();
        }
    }

    /// As a bare repository with one pack, and its references in one file.
    pub(super) fn write_packed(&self, at: &Path) {
        fs_err::create_dir_all(at.join("objects/pack")).unwrap();
        let (pack, offsets) = self.pack();
        fs_err::write(at.join("objects/pack/pack-1.pack"), pack).unwrap();
        fs_err::write(at.join("objects/pack/pack-1.idx"), index(&offsets)).unwrap();
        fs_err::write(at.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let mut lines = String::from("# pack-refs with: peeled fully-peeled sorted\n");
        for (name, id) in self.references.iter().filter(|(name, _)| *name != "HEAD") {
            writeln!(lines, "{id} {name}\n^{id}").unwrap();
        }
        fs_err::write(at.join("packed-refs"), lines).unwrap();
    }

    fn write_references(&self, at: &Path) {
        fs_err::create_dir_all(at.join("objects")).unwrap();
        fs_err::write(at.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        for (name, id) in self.references.iter().filter(|(name, _)| *name != "HEAD") {
            fs_err::create_dir_all(at.join(name).parent().unwrap()).unwrap();
            fs_err::write(at.join(name), format!("{id}\n")).unwrap();
        }
    }

    /// A pack, and where its objects begin. Blobs are deltas of the one before: by distance the
    /// first time, by name the next, and so on.
    pub(super) fn pack(&self) -> (Vec<u8>, BTreeMap<Id, u64>) {
        let mut pack = b"PACK\0\0\0\x02".to_vec();
        pack.extend_from_slice(&u32::try_from(self.objects.len()).unwrap().to_be_bytes());
        let mut offsets = BTreeMap::new();
        let mut base: Option<(Id, u64, &[u8])> = None;
        for (id, (kind, data)) in &self.objects {
            let offset = pack.len() as u64;
            offsets.insert(*id, offset);
            match base.filter(|_| *kind == Kind::Blob) {
                Some((name, at, from)) => {
                    let delta = delta(from, data);
                    let by_name = offsets.len() % 2 == 0;
                    header(&mut pack, if by_name { 7 } else { 6 }, delta.len());
                    match by_name {
                        true => pack.extend_from_slice(&name.0),
                        false => pack.extend_from_slice(&distance(offset - at)),
                    }
                    pack.extend_from_slice(&deflate(&delta));
                }
                None => {
                    let number = match kind {
                        Kind::Commit => 1,
                        Kind::Tree => 2,
                        Kind::Blob => 3,
                        Kind::Tag => 4,
                    };
                    header(&mut pack, number, data.len());
                    pack.extend_from_slice(&deflate(data));
                }
            }
            if *kind == Kind::Blob {
                base = Some((*id, offset, data));
            }
        }
        let seal = sha1dc::digest(&pack).unwrap();
        pack.extend_from_slice(seal.as_bytes());
        (pack, offsets)
    }
}

/// `to` as changes of `from`: a copied beginning, and the rest as it is.
pub(super) fn delta(from: &[u8], to: &[u8]) -> Vec<u8> {
    let same = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    let mut delta = Vec::new();
    for size in [from.len(), to.len()] {
        let mut size = size;
        while size >= 0x80 {
            delta.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
            size >>= 7;
        }
        delta.push(u8::try_from(size).unwrap());
    }
    if same > 0 {
        // Offset 0 takes no bytes, the count one or two.
        let [low, high, ..] = u32::try_from(same).unwrap().to_le_bytes();
        delta.extend_from_slice(&[0x80 | 0x10 | 0x20, low, high]);
    }
    for chunk in to[same..].chunks(0x7f) {
        delta.push(u8::try_from(chunk.len()).unwrap());
        delta.extend_from_slice(chunk);
    }
    delta
}

fn header(pack: &mut Vec<u8>, number: u8, size: usize) {
    let mut size = size;
    let mut byte = (number << 4) | u8::try_from(size & 0x0f).unwrap();
    size >>= 4;
    while size > 0 {
        pack.push(byte | 0x80);
        byte = u8::try_from(size & 0x7f).unwrap();
        size >>= 7;
    }
    pack.push(byte);
}

fn distance(distance: u64) -> Vec<u8> {
    let mut rest = distance;
    let mut bytes = vec![u8::try_from(rest & 0x7f).unwrap()];
    while rest >= 0x80 {
        rest = (rest >> 7) - 1;
        bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
    }
    bytes.reverse();
    bytes
}

/// An index of version 2. Its checksums are not looked at.
fn index(offsets: &BTreeMap<Id, u64>) -> Vec<u8> {
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    for byte in 0..=255_u8 {
        let count = offsets.keys().filter(|id| id.0[0] <= byte).count();
        index.extend_from_slice(&u32::try_from(count).unwrap().to_be_bytes());
    }
    for id in offsets.keys() {
        index.extend_from_slice(&id.0);
    }
    index.extend_from_slice(&vec![0; offsets.len() * 4]);
    let mut long = Vec::new();
    for (number, offset) in offsets.values().enumerate() {
        // Every second as large offsets are written.
        let short = if number % 2 == 0 {
            u32::try_from(*offset).unwrap()
        } else {
            long.push(*offset);
            u32::try_from(long.len() - 1).unwrap() | (1 << 31)
        };
        index.extend_from_slice(&short.to_be_bytes());
    }
    for offset in long {
        index.extend_from_slice(&offset.to_be_bytes());
    }
    index.extend_from_slice(&[0; 40]);
    index
}
