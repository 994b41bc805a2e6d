//! Deltas, packs, lines and objects by themselves.

use proptest::prelude::*;

use super::super::object::{Id, Kind, Objects as _, commit_time, header, tree_entries};
use super::super::pack::IndexedPack;
use super::super::packet::{self, Packet};
use super::super::{GitError, delta};
use super::fixture::{self, Fixture};

fn index(bytes: &[u8]) -> Result<IndexedPack, GitError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), bytes).unwrap();
    IndexedPack::index(file.path(), 1 << 20)
}

#[test]
fn a_pack_gives_back_what_was_put_in() {
    let mut fixture = Fixture::usual();
    for number in 0..40 {
        fixture.add(Kind::Blob, format!("{}{number}", "line\n".repeat(number * 9)).as_bytes());
    }
    let (pack, _) = fixture.pack();
    let index = index(&pack).unwrap();
    for (id, (kind, data)) in &fixture.objects {
        let object = index.read(*id).unwrap().unwrap();
        assert_eq!((object.kind, &object.data), (*kind, data));
    }
    assert_eq!(index.read(Id([0; 20])).unwrap(), None);
}

#[test]
fn damaged_packs_are_refused_and_never_panic() {
    let (pack, _) = Fixture::usual().pack();
    for at in 0..pack.len() {
        assert!(index(&pack[..at]).is_err(), "{at}");
        let mut damaged = pack.clone();
        damaged[at] ^= 0x55;
        let _ = index(&damaged);
    }
    assert!(index(b"").is_err());
}

#[test]
fn a_pack_that_inflates_too_far_is_stopped() {
    let mut fixture = Fixture::default();
    fixture.add(Kind::Blob, &vec![0; 2 << 20]);
    let Err(error) = index(&fixture.pack().0) else { panic!() };
    assert_eq!(error.to_string(), "the commit has more than 1048576 bytes");
}

#[test]
fn objects_are_taken_apart() {
    let commit = b"tree 1\nparent 2\ncommitter A > <a@b> -5 +0000\n\ntree 3\n";
    assert_eq!(header(commit, "tree"), Some(b"1".as_slice()));
    assert_eq!(header(commit, "gpgsig"), None);
    assert_eq!(commit_time(commit), Some(-5));
    assert_eq!(commit_time(b"committer A <a@b> x\n"), None);
    let names = |data: &[u8]| {
        tree_entries(data)
            .map(|entry| entry.map(|entry| (entry.mode, entry.name.to_vec())))
            .collect::<Vec<_>>()
    };
    let mut tree = b"100644 a b\0".to_vec();
    tree.extend_from_slice(&[7; 20]);
    assert_eq!(names(&tree), [Some((0o100_644, b"a b".to_vec()))]);
    tree.pop();
    assert_eq!(names(&tree), [None]);
    assert_eq!(Id::parse(b"0123456789abcdef0123456789abcdef0123456"), None);
    let empty = Id::of(Kind::Blob, b"").unwrap();
    assert_eq!(empty.to_string(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    assert_eq!(Id::parse(empty.to_string().as_bytes()), Some(empty));
}

#[test]
fn lines_are_read_one_by_one() {
    let mut bytes: &[u8] = b"0006a\n0000000100050004";
    let mut next = || packet::read(&mut bytes).map_err(|error| error.kind());
    assert_eq!(next(), Ok(Some(Packet::Data(b"a\n".to_vec()))));
    assert_eq!(next(), Ok(Some(Packet::Flush)));
    assert_eq!(next(), Ok(Some(Packet::Delimiter)));
    assert_eq!(next(), Ok(Some(Packet::Data(b"0".to_vec()))));
    assert!(next().is_err());
    for broken in ["<htm", "0003", "+005a", "000", "0009ab"] {
        assert!(packet::read(&mut broken.as_bytes()).is_err(), "{broken}");
    }
    assert_eq!(packet::read(&mut &b""[..]).unwrap(), None);
}

proptest! {
    #[test]
    fn a_delta_gives_what_it_was_made_for(same in ".{0,300}", a in ".{0,200}", b in ".{0,200}") {
        let (from, to) = (format!("{same}{a}"), format!("{same}{b}"));
        let delta = fixture::delta(from.as_bytes(), to.as_bytes());
        prop_assert_eq!(delta::apply(from.as_bytes(), &delta).unwrap(), to.as_bytes());
    }

    #[test]
    fn no_delta_makes_it_panic(base in any::<Vec<u8>>(), noise in any::<Vec<u8>>()) {
        let _ = delta::apply(&base, &noise);
    }

    #[test]
    fn no_pack_makes_it_panic(noise in any::<Vec<u8>>()) {
        let _ = index(&[b"PACK\0\0\0\x02\0\0\0\x02".as_slice(), &noise].concat());
    }
}
