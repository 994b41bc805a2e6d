//! What COPY copies, as BuildKit documents and tests it.

use super::{Copy, at, tree};
use crate::tree::{Kind, MemoryTree, Metadata};

#[test]
fn a_file_becomes_the_destination_or_goes_into_it() {
    let tree = tree(&["foo.go", "bar.go", "sub/dir1/dir2/foo"]);
    let copy = |sources, to| Copy { sources, to, ..Copy::default() }.lines(&tree);
    assert_eq!(copy(&["foo.go"], "/x"), ["f644 x < foo.go"]);
    assert_eq!(copy(&["foo.go"], "/x/"), ["+d755 x", "f644 x/foo.go < foo.go"]);
    assert_eq!(copy(&["foo.go"], "/"), ["f644 foo.go < foo.go"]);
    assert_eq!(copy(&["f*.go"], "foo2.go"), ["f644 foo2.go < foo.go"]);
    assert_eq!(
        copy(&["*.go"], "/gofiles/"),
        ["+d755 gofiles", "f644 gofiles/bar.go < bar.go", "f644 gofiles/foo.go < foo.go"]
    );
    assert_eq!(copy(&["sub/*/dir2/foo"], "/a/b"), ["+d755 a", "f644 a/b < sub/dir1/dir2/foo"]);
}

#[test]
fn a_directory_is_copied_as_its_contents() {
    let tree = tree(&["sub/dir1/dir2/foo", "sub/empty/"]);
    let copy = |sources, to| Copy { sources, to, ..Copy::default() }.lines(&tree);
    let expected = ["+d755 x", "d755 x/dir2", "f644 x/dir2/foo < sub/dir1/dir2/foo"];
    for source in ["sub/dir1", "sub/dir1/", "sub/dir1/.", "/sub/dir1", "../sub/dir1", "./sub//dir1"]
    {
        for to in ["x", "x/"] {
            let copy = Copy { to, ..Copy::default() };
            assert_eq!(copy.of(&[source]).lines(&tree), expected, "{source} {to}");
        }
    }
    assert_eq!(copy(&["sub/*"], "/x/"), expected);
    assert_eq!(copy(&["sub/empty"], "/"), Vec::<String>::new());
    assert_eq!(
        copy(&["."], "/"),
        [
            "d755 sub",
            "d755 sub/dir1",
            "d755 sub/dir1/dir2",
            "f644 sub/dir1/dir2/foo < sub/dir1/dir2/foo",
            "d755 sub/empty"
        ]
    );
}

#[test]
fn several_files_need_a_directory() {
    let tree = tree(&["a", "b", "dir/c"]);
    let copy = |sources, to| Copy { sources, to, ..Copy::default() };
    let (message, help) = copy(&["a", "b"], "/x").error(&tree);
    assert_eq!(message, "2 sources cannot become the one file `/x`");
    assert_eq!(help.as_deref(), Some("end the destination with `/`: `/x/`"));
    copy(&["?"], "x").error(&tree);
    copy(&["dir", "a"], "x").error(&tree);
    assert_eq!(copy(&["di*", "dir"], "x").lines(&tree), ["+d755 x", "f644 x/c < dir/c"]);
    assert_eq!(copy(&["a", "b"], ".").lines(&tree), ["f644 a < a", "f644 b < b"]);
}

#[test]
fn links_in_directories_stay_and_sources_are_followed() {
    let tree = tree(&[
        "bar",
        "foo -> bar",
        "sub/l0 -> subfile",
        "sub/subfile",
        "sub/l1 -> second",
        "sub/second -> baz",
        "sub/baz",
        "link -> sub",
        "abs -> /sub/subfile",
        "up -> ../../bar",
    ]);
    let copy = |sources, to| Copy { sources, to, ..Copy::default() }.lines(&tree);
    assert_eq!(copy(&["foo"], "/"), ["f644 foo < bar"]);
    assert_eq!(
        copy(&["sub/l*"], "all/"),
        ["+d755 all", "f644 all/l0 < sub/subfile", "f644 all/l1 < sub/baz"]
    );
    assert_eq!(copy(&["link/subfile"], "x"), ["f644 x < sub/subfile"]);
    assert_eq!(copy(&["link/l?"], "/").first().unwrap(), "f644 l0 < sub/subfile");
    assert_eq!(copy(&["abs"], "x"), ["f644 x < sub/subfile"]);
    assert_eq!(copy(&["up"], "x"), ["f644 x < bar"]);
    assert_eq!(
        copy(&["link"], "/"),
        [
            "f644 baz < sub/baz",
            "l777 l0 -> subfile",
            "l777 l1 -> second",
            "l777 second -> baz",
            "f644 subfile < sub/subfile"
        ]
    );
}

#[test]
fn a_pattern_may_match_nothing_and_a_path_may_not() {
    let tree = tree(&["foo", "src/main.rs", "gone -> nowhere"]);
    let copy = Copy { to: "/", ..Copy::default() };
    let picks = copy.of(&["foo", "nomatch*"]).picks(&tree).unwrap();
    assert_eq!((picks.entries.len(), picks.unmatched.first().unwrap().0.as_str()), (1, "nomatch*"));
    let error = |source: &str| {
        let (message, help) = copy.of(&[source]).error(&tree);
        (message, help.unwrap_or_default())
    };
    let rows = [
        ("fooo", "`fooo` is not in the context", "did you mean `foo`?"),
        ("src/mian.rs", "`src/mian.rs` is not in the context", "did you mean `src/main.rs`?"),
        ("src/zzz", "`src/zzz` is not in the context", "`src` has `main.rs`"),
        ("other/x*", "`other/x*` is not in the context", "the context has `foo`, `gone` and `src`"),
        ("foo/x", "`foo/x` is not in the context", "`foo` is a file"),
        (
            "gone",
            "`gone` is not in the context",
            "`gone` is a link to `nowhere`, which is not there",
        ),
        ("a[", "`a[` is not a pattern", "write `[[]` for `[`, `[*]` for `*` and `[?]` for `?`"),
    ];
    for (source, message, help) in rows {
        assert_eq!(error(source), (message.to_owned(), help.to_owned()), "{source}");
    }
}

#[test]
fn escaped_characters_are_themselves() {
    let tree = tree(&["arr[0].txt", "a*b", "axb"]);
    let copy = |sources| Copy { sources, to: "/", ..Copy::default() }.lines(&tree);
    assert_eq!(copy(&["arr[[]0].txt"]), ["f644 arr[0].txt < arr[0].txt"]);
    assert_eq!(copy(&["a\\*b"]), ["f644 a*b < a*b"]);
    assert_eq!(copy(&["a[*]?"]), ["f644 a*b < a*b"]);
}

#[test]
fn ignored_files_are_not_there_and_the_rule_is_named() {
    let tree = tree(&["a/keep", "a/drop", "b/x", ".env", "c/d/e", "link -> .env"]);
    let ignore = "**/.env\na/*\n!a/keep\nb\nc\n!c/d/e\n";
    let copy = |sources, to| Copy { sources, to, ignore, ..Copy::default() };
    assert_eq!(
        copy(&["."], "/").lines(&tree),
        [
            "d755 a",
            "f644 a/keep < a/keep",
            "d755 c",
            "d755 c/d",
            "f644 c/d/e < c/d/e",
            "l777 link -> .env"
        ]
    );
    assert_eq!(copy(&["c"], "/").lines(&tree), ["d755 d", "f644 d/e < c/d/e"]);
    assert_eq!(copy(&["c/*/e", "?/*"], "/").lines(&tree).len(), 2);
    let (message, help) = copy(&["b"], "/").error(&tree);
    assert_eq!(message, "`b` is in the context, but left out by .dockerignore:4: `b`");
    assert_eq!(help.as_deref(), Some("take `b` out of .dockerignore, or add `!b` below it"));
    let copy = Copy { to: "/", ignore, ..Copy::default() };
    let message = |source: &str| copy.of(&[source]).error(&tree).0;
    assert_eq!(
        message(".env"),
        "`.env` is in the context, but left out by .dockerignore:1: `**/.env`"
    );
    assert_eq!(
        message("link"),
        "`link` is in the context, but left out by .dockerignore:1: `**/.env`"
    );
    assert_eq!(
        message("a/drop"),
        "`a/drop` is in the context, but left out by .dockerignore:2: `a/*`"
    );
    assert_eq!(message("a/dorp"), "`a/dorp` is not in the context");
}

#[test]
fn a_directory_of_which_all_is_ignored_is_not_there() {
    let tree = tree(&["c/d/x", "c/y"]);
    let copy = Copy { sources: &["c"], to: "/", ignore: "c\n!c/d/e", ..Copy::default() };
    assert_eq!(copy.error(&tree).0, "`c` is in the context, but left out by .dockerignore:1: `c`");
    assert_eq!(Copy { sources: &["."], ..copy }.lines(&tree), Vec::<String>::new());
}

#[test]
fn exclude_is_relative_to_the_source() {
    let tree =
        tree(&["home.txt", "hom.md", "dir1/a.txt", "dir1/b.md", "dir1/sub/c.txt", "dir2/d.txt"]);
    let copy =
        |sources, exclude| Copy { sources, to: "/x/", exclude, ..Copy::default() }.lines(&tree);
    assert_eq!(copy(&["hom*"], &["*.txt"]), ["+d755 x", "f644 x/hom.md < hom.md"]);
    assert_eq!(
        copy(&["dir*"], &["*.txt"]),
        ["+d755 x", "f644 x/b.md < dir1/b.md", "d755 x/sub", "f644 x/sub/c.txt < dir1/sub/c.txt"]
    );
    assert_eq!(copy(&["dir1"], &["**/*.txt", "sub"]), ["+d755 x", "f644 x/b.md < dir1/b.md"]);
    assert_eq!(
        copy(&["dir1"], &["*", "!sub/c.txt"]),
        ["+d755 x", "d755 x/sub", "f644 x/sub/c.txt < dir1/sub/c.txt"]
    );
    assert_eq!(copy(&["dir*"], &["*"]), ["+d755 x"]);
}

#[test]
fn parents_are_kept_from_the_pivot_on() {
    let files =
        ["a/b/c/d/foo", "a/b/c/d/e/bay", "a/b2/c/d/e/bar", "a/b/c2/d/e/baz", "a/b/c2/d/e2/baz"];
    let tree = tree(&files);
    let copy = |sources| {
        let lines = Copy { sources, to: "/out/", parents: true, ..Copy::default() }.lines(&tree);
        let files = lines.into_iter().filter(|line| line.starts_with('f'));
        files.map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(copy(&["a/b/c/d/foo"]), ["out/a/b/c/d/foo"]);
    assert_eq!(copy(&["/a/b/./c/d"]), ["out/c/d/e/bay", "out/c/d/foo"]);
    assert_eq!(copy(&["/a/b/c/d/."]), ["out/a/b/c/d/e/bay", "out/a/b/c/d/foo"]);
    assert_eq!(copy(&["./a/b/c/d"]), ["out/a/b/c/d/e/bay", "out/a/b/c/d/foo"]);
    assert_eq!(copy(&["/a/./b/./c"]), ["out/b/c/d/e/bay", "out/b/c/d/foo"]);
    assert_eq!(copy(&["/a/./*/c"]), ["out/b/c/d/e/bay", "out/b/c/d/foo", "out/b2/c/d/e/bar"]);
    assert_eq!(copy(&["/a/b*/./c/**/e"]), ["out/c/d/e/bar", "out/c/d/e/bay"]);
    assert_eq!(
        copy(&["/a/b/c*/./d/**/baz", "/a/b*/./c/**/bar"]),
        ["out/c/d/e/bar", "out/d/e/baz", "out/d/e2/baz"]
    );
    assert_eq!(copy(&["."]).len(), 5);
    let lines = |sources| Copy { sources, to: "/out", parents: true, ..Copy::default() };
    assert_eq!(lines(&["/a/b3*/c"]).lines(&tree), ["+d755 out"]);
    assert_eq!(
        lines(&["a/b2/c/d/e/bar"]).lines(&tree),
        [
            "+d755 out",
            "d755 out/a",
            "d755 out/a/b2",
            "d755 out/a/b2/c",
            "d755 out/a/b2/c/d",
            "d755 out/a/b2/c/d/e",
            "f644 out/a/b2/c/d/e/bar < a/b2/c/d/e/bar"
        ]
    );
    assert_eq!(
        lines(&["a/nothing"]).error(&tree),
        ("`a/nothing` is not in the context".to_owned(), Some("`a` has `b` and `b2`".to_owned()))
    );
}

#[test]
fn owner_and_mode_are_those_that_are_asked_for() {
    let mut tree = MemoryTree::new();
    tree.insert(at("d"), Metadata { uid: 5, ..Metadata::new(Kind::Directory, 0o700, 0) }, b"");
    tree.insert(at("d/run"), Metadata { gid: 6, ..Metadata::new(Kind::File, 0o700, 1) }, b"x");
    tree.symlink("d/link", "run");
    let copy = Copy { sources: &["."], to: "/new/", ..Copy::default() };
    let owners = |copy: Copy<'_>| {
        let entries = copy.picks(&tree).unwrap().entries;
        entries.iter().map(|picked| (picked.entry.uid, picked.entry.gid)).collect::<Vec<_>>()
    };
    assert_eq!(
        copy.lines(&tree),
        ["+d755 new", "d700 new/d", "l777 new/d/link -> run", "f700 new/d/run < d/run"]
    );
    assert_eq!(owners(copy), [(0, 0), (5, 0), (0, 0), (0, 6)]);
    let owned = Copy { owner: Some((10, 11)), mode: "640", ..copy };
    assert_eq!(
        owned.lines(&tree),
        ["+d640 new", "d640 new/d", "l777 new/d/link -> run", "f640 new/d/run < d/run"]
    );
    assert_eq!(owners(owned), [(10, 11); 4]);
    let symbolic = Copy { mode: "u=rwX,go=rX", ..copy };
    assert_eq!(
        symbolic.lines(&tree),
        ["+d755 new", "d755 new/d", "l777 new/d/link -> run", "f755 new/d/run < d/run"]
    );
}

#[test]
fn later_sources_replace_earlier_ones_of_the_same_kind() {
    let tree = tree(&["one/x", "two/x", "three/x/y", "four/y", "five/y -> x"]);
    let copy = |sources| Copy { sources, to: "/", ..Copy::default() };
    assert_eq!(copy(&["one", "two"]).lines(&tree), ["f644 x < two/x"]);
    assert_eq!(copy(&["four", "five"]).lines(&tree), ["l777 y -> x"]);
    assert_eq!(
        copy(&["one", "three"]).error(&tree).0,
        "a directory cannot take the place of the file `/x`"
    );
    assert_eq!(
        copy(&["three", "one"]).error(&tree).0,
        "a file cannot take the place of the directory `/x`"
    );
}

#[test]
fn the_image_keeps_its_directories_and_its_links() {
    let image = tree(&["usr/bin/sh", "lib -> usr/lib", "usr/lib/", "etc/passwd"]);
    let tree = tree(&["lib/x", "usr/bin/new", "usr/bin/sh/y", "passwd", "rootfs/etc/passwd/z"]);
    let copy = |sources, to| Copy { sources, to, image: Some(&image), ..Copy::default() };
    assert_eq!(copy(&["passwd"], "/usr/bin/").lines(&tree), ["f644 usr/bin/passwd < passwd"]);
    assert_eq!(copy(&["passwd"], "/usr/bin").lines(&tree), ["f644 usr/bin/passwd < passwd"]);
    assert_eq!(copy(&["passwd"], "/etc/passwd").lines(&tree), ["f644 etc/passwd < passwd"]);
    assert_eq!(copy(&["lib"], "/lib/").lines(&tree), ["f644 usr/lib/x < lib/x"]);
    assert_eq!(
        copy(&["lib"], "/lib/a").lines(&tree),
        ["+d755 usr/lib/a", "f644 usr/lib/a/x < lib/x"]
    );
    let (message, help) = copy(&["."], "/").error(&tree);
    assert_eq!(message, "a directory cannot take the place of the symbolic link `/lib`");
    assert_eq!(help.as_deref(), Some("copy into the directory that `/lib` points at instead"));
    assert_eq!(
        copy(&["rootfs"], "/").error(&tree).0,
        "a directory cannot take the place of the file `/etc/passwd`"
    );
}

#[test]
fn devices_are_refused_and_sockets_are_empty_files() {
    let mut tree = MemoryTree::new();
    tree.insert(at("pipe"), Metadata::new(Kind::Fifo, 0o600, 0), b"");
    tree.insert(at("socket"), Metadata::new(Kind::Socket, 0o600, 0), b"");
    let copy = Copy { sources: &["."], to: "/", ..Copy::default() };
    assert_eq!(copy.lines(&tree), ["p600 pipe", "f600 socket"]);
    let null = Kind::CharacterDevice { major: 1, minor: 3 };
    tree.insert(at("dev/null"), Metadata::new(null, 0o666, 0), b"");
    assert_eq!(
        copy.error(&tree),
        (
            "`dev/null` in the context is a character device".to_owned(),
            Some("leave it out: add `dev/null` to .dockerignore".to_owned())
        )
    );
    assert_eq!(Copy { ignore: "dev", ..copy }.lines(&tree).len(), 2);
}

#[test]
fn names_of_one_file_are_hard_links() {
    let mut tree = MemoryTree::new();
    let inode = |inode, links| Metadata { inode, links, ..Metadata::new(Kind::File, 0o644, 1) };
    for (path, inode) in
        [("b/two", inode(5, 3)), ("a", inode(5, 3)), ("c", inode(6, 2)), ("d", inode(7, 1))]
    {
        tree.insert(at(path), inode, b"x");
    }
    let copy = |sources| Copy { sources, to: "/x/", ..Copy::default() };
    assert_eq!(
        copy(&["."]).lines(&tree),
        [
            "+d755 x",
            "f644 x/a < a",
            "d755 x/b",
            "h644 x/b/two -> x/a",
            "f644 x/c < c",
            "f644 x/d < d"
        ]
    );
    assert_eq!(copy(&["b/two"]).lines(&tree), ["+d755 x", "f644 x/two < b/two"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    use crate::tree::{Child, Tree};
    use std::io;
    use std::path::{Path, PathBuf};

    struct Locked(MemoryTree);
    impl Tree for Locked {
        fn metadata(&self, path: &Path) -> io::Result<Metadata> {
            self.0.metadata(path)
        }
        fn read_dir(&self, path: &Path) -> io::Result<Vec<Child>> {
            match path == at("a/locked") {
                true => Err(io::ErrorKind::PermissionDenied.into()),
                false => self.0.read_dir(path),
            }
        }
        fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
            self.0.read_link(path)
        }
        fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
            self.0.open(path)
        }
    }

    let tree = Locked(tree(&["a/locked/x", "b"]));
    let copy = Copy { sources: &["."], to: "/", ..Copy::default() };
    assert_eq!(
        copy.error(&tree),
        (
            "cannot read `a/locked` of the context".to_owned(),
            Some("make it readable, or leave it out: add `a/locked` to .dockerignore".to_owned())
        )
    );
    assert_eq!(Copy { ignore: "a/locked", ..copy }.lines(&tree), ["d755 a", "f644 b < b"]);
}

#[test]
fn entries_are_in_the_order_of_layers() {
    let tree = tree(&["a/b", "a.b", "a-b/c", "a/b.c", "a0", "é", "a/\u{1}"]);
    let picks = Copy { sources: &["."], to: "/", ..Copy::default() }.picks(&tree).unwrap();
    let mut sorted = picks.entries.clone();
    crate::layer::sort(&mut sorted, |picked| &picked.entry);
    assert_eq!(picks.entries, sorted);
}
