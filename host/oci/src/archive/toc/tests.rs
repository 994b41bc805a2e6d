use std::io::Write as _;

use super::*;

#[test]
fn names_are_cleaned_or_left_out() {
    let check = |name: &[u8], expect: Option<&str>| {
        assert_eq!(clean(name).as_deref(), expect, "{}", String::from_utf8_lossy(name));
    };
    check(b"./a/b", Some("a/b"));
    check(b"a//b/", Some("a/b"));
    check(b"a/../b", Some("b"));
    check(b"../a", None);
    check(b"a/../../b", None);
    check(b"/a", None);
    check(b"", None);
    check(b"./", None);
    check(b"a\xff", None);
    check(b"a\0b", None);
    check(&[b'a'; LONGEST_NAME + 1], None);
}

#[test]
fn a_sparse_file_is_refused() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_path("hole").unwrap();
    header.set_size(0);
    header.as_gnu_mut().unwrap().set_real_size(0);
    header.set_cksum();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(&[0; 1024]).unwrap();
    let Err(TocError::Invalid(why)) = Toc::read(&file) else { panic!() };
    assert_eq!(why, "`hole` is a sparse file, which archives of images have not");
}

#[test]
fn an_entry_that_says_it_is_larger_than_the_file_is_refused() {
    for size in [1025, u64::MAX / 2, u64::MAX] {
        let mut header = tar::Header::new_gnu();
        header.set_path("huge").unwrap();
        header.set_size(size);
        header.set_cksum();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(header.as_bytes()).unwrap();
        file.write_all(&[0; 1024]).unwrap();
        assert!(matches!(Toc::read(&file), Err(TocError::Invalid(_))), "{size}");
    }
}
