use super::super::{Context, ContextError, GivenFile};
use super::at;
use crate::ignore::Ignore;
use crate::tree::Kind;

fn given(path: &str, content: &str) -> GivenFile {
    GivenFile { path: path.to_owned(), content: content.into(), mode: 0o644 }
}

fn context(files: &[(&str, &str)]) -> Context {
    Context::files(files.iter().map(|(path, content)| given(path, content))).unwrap()
}

#[test]
fn the_ignore_file_of_a_dockerfile_goes_before_the_general_one() {
    let files = [
        (".dockerignore", "all"),
        ("sub/Dockerfile.dockerignore", "own"),
        ("Dockerfile.bad.dockerignore", "x\n["),
    ];
    let found = |dockerfile: &str| {
        let found = context(&files).find_ignore(at(dockerfile)).map(|found| {
            found.map(|ignore| {
                (ignore.label().to_owned(), ignore.rule(0).unwrap().text().to_owned())
            })
        });
        found.map_err(|error| error.to_string())
    };
    let some = |label: &str, rule: &str| Ok(Some((label.to_owned(), rule.to_owned())));
    assert_eq!(found("Dockerfile"), some(".dockerignore", "all"));
    assert_eq!(found("sub/Dockerfile"), some("sub/Dockerfile.dockerignore", "own"));
    assert_eq!(found("/sub/Dockerfile"), some("/sub/Dockerfile.dockerignore", "own"));
    assert_eq!(
        found("Dockerfile.bad"),
        Err("Dockerfile.bad.dockerignore:2: `[` is not a pattern".to_owned())
    );
    assert!(context(&[("a", "")]).find_ignore(at("Dockerfile")).unwrap().is_none());
}

#[test]
fn files_are_read_whether_ignored_or_not() {
    let context = context(&[("Dockerfile", "FROM scratch"), ("dir/x", "")])
        .with_ignore(Ignore::parse("i", "*").unwrap());
    let read = |path: &str, limit| context.read_file(at(path), limit);
    assert_eq!(read("Dockerfile", 12).unwrap(), Some(b"FROM scratch".to_vec()));
    assert_eq!(read("../Dockerfile", 100).unwrap(), Some(b"FROM scratch".to_vec()));
    assert_eq!(read("nothing", 100).unwrap(), None);
    assert_eq!(read("Dockerfile/x", 100).unwrap(), None);
    assert_eq!(
        read("Dockerfile", 11).unwrap_err().to_string(),
        "`Dockerfile` has 12 bytes, at most 11 can be read"
    );
    assert_eq!(read("dir", 100).unwrap_err().to_string(), "`dir` is a directory, not a file");
    assert!(context.ignores(at("dir")) && context.ignores(at("/Dockerfile")));
}

#[test]
fn a_listing_says_what_is_sent_and_why_the_rest_is_not() {
    let context = context(&[
        (".env", "secret"),
        ("a/.env", "secret"),
        ("a/b", "four"),
        ("docs/README.md", "read"),
        ("docs/img/x.png", "xx"),
        ("node_modules/x/y.js", "js"),
    ])
    .with_ignore(Ignore::parse("i", "**/.env\nnode_modules\n\ndocs\n!docs/*.md\n").unwrap());
    let listing = context.list().unwrap();
    let kept: Vec<_> = listing.kept.iter().map(|kept| kept.path.to_str().unwrap()).collect();
    assert_eq!(kept, ["a", "a/b", "docs", "docs/README.md"]);
    let dropped: Vec<_> = listing
        .dropped
        .iter()
        .map(|one| (one.path.to_str().unwrap(), one.kind, one.line, one.rule.as_str()))
        .collect();
    assert_eq!(
        dropped,
        [
            (".env", Kind::File, 1, "**/.env"),
            ("a/.env", Kind::File, 1, "**/.env"),
            ("docs/img", Kind::Directory, 4, "docs"),
            ("node_modules", Kind::Directory, 2, "node_modules"),
        ]
    );
    assert_eq!((listing.files(), listing.bytes()), (2, 8));
    assert_eq!(context.newest_mtime().unwrap(), Some(0));
}

#[test]
fn given_files_have_plain_paths() {
    for path in ["", "/a", "../a", "a/../b", "./a", "a/", "a//b"] {
        let error = Context::files([given(path, "")]).unwrap_err();
        assert!(matches!(error, ContextError::Path { .. }), "{path}");
    }
    assert!(Context::files([given("a/b", ""), given("a", "")]).is_err());
}

/// What `context` is packed to.
fn packed(context: &Context) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packed");
    let layer = context
        .pack(Some(at("sub/Dockerfile")), Vec::new(), std::fs::File::create(&path).unwrap())
        .unwrap();
    let bytes = fs_err::read(path).unwrap();
    assert_eq!(layer.descriptor.digest, oci::Digest::of(&bytes));
    bytes
}

#[test]
fn a_packed_context_has_what_a_build_sees_and_its_dockerfile() {
    let files = [
        ("a", "1"),
        (".env", "secret"),
        ("sub/Dockerfile", "FROM scratch"),
        ("sub/other", "2"),
        ("z/deep", "3"),
    ];
    let ignore = || Ignore::parse("i", ".env\nsub").unwrap();
    let bytes = packed(&context(&files).with_ignore(ignore()));
    let tar = flate2::read::GzDecoder::new(bytes.as_slice());
    let mut archive = tar::Archive::new(tar);
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["a", "sub/", "sub/Dockerfile", "z/", "z/deep"]);
    let mut reversed = files;
    reversed.reverse();
    assert!(
        bytes == packed(&context(&reversed).with_ignore(ignore())),
        "the order of files is nothing"
    );
}

#[test]
fn files_that_are_added_stand_in_place_of_others() {
    let pack = |added: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("packed");
        let added = added.iter().map(|(path, content)| given(path, content)).collect();
        let sink = std::fs::File::create(&path).unwrap();
        context(&[("a", "1"), ("sub/b", "2")]).pack(None, added, sink).map(|_| {
            let bytes = fs_err::read(path).unwrap();
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
            let entries = archive.entries().unwrap().map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
                format!("{}={text}", entry.path().unwrap().display())
            });
            entries.collect::<Vec<_>>()
        })
    };
    let packed = pack(&[("sub/b", "new"), ("sub/c/d", "3")]).unwrap();
    assert_eq!(packed, ["a=1", "sub/=", "sub/b=new", "sub/c/=", "sub/c/d=3"]);
    for path in ["sub", "a/b", "../a"] {
        let error = pack(&[(path, "")]).unwrap_err();
        assert!(matches!(error, ContextError::Path { .. }), "{path}: {error}");
    }
}

#[test]
fn a_dockerfile_that_is_not_there_is_not_packed() {
    let error = context(&[("a", "1")])
        .pack(Some(at("Dockerfile")), Vec::new(), std::io::sink())
        .unwrap_err();
    assert_eq!(error.to_string(), "cannot read `Dockerfile`");
}
