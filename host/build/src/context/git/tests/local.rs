//! Repositories of this machine.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::super::object::{Id, Kind};
use super::super::{Commit, GitError, GitSource, Location};
use super::fixture::{Fixture, TIME};
use crate::context::{Context, ContextError};

/// Every file of the context with its mode, its time and its content or target.
pub(super) fn files(context: &Context) -> Vec<String> {
    let root = context.path().unwrap();
    let listing = context.list().unwrap();
    let line = |path: &Path| {
        let full = root.join(path);
        let metadata = fs_err::symlink_metadata(&full).unwrap();
        assert_eq!(metadata.mtime(), context.commit().unwrap().unwrap().time, "{path:?}");
        let mode = metadata.permissions().mode() & 0o777;
        let content = match metadata.is_file() {
            true => fs_err::read_to_string(&full).unwrap(),
            false if metadata.is_symlink() => {
                fs_err::read_link(&full).unwrap().display().to_string()
            }
            false => "/".to_owned(),
        };
        format!("{mode:o} {} {}", path.display(), content.trim())
    };
    listing.kept.iter().map(|kept| line(&kept.path)).collect()
}

pub(super) const MAIN: [&str; 6] = [
    "644 README read me",
    "755 app /",
    "644 app/README read me",
    "755 app/run #!/bin/sh",
    "777 link app/run",
    "755 module /",
];

fn open(repository: &Path, fragment: &str) -> Result<Context, ContextError> {
    let source = GitSource::parse(&format!("file:{}{fragment}", repository.display())).unwrap();
    Context::git(&source, None, repository.parent().unwrap())
}

fn error(repository: &Path, fragment: &str) -> (String, Option<String>) {
    let ContextError::Git(error) = open(repository, fragment).unwrap_err() else { panic!() };
    let message = error.to_string();
    (message, report::Fault::from(error).help)
}

#[test]
fn a_commit_is_what_its_files_are() {
    let fixture = Fixture::usual();
    let home = tempfile::tempdir().unwrap();
    let (loose, packed) = (home.path().join("loose"), home.path().join("packed.git"));
    fixture.write_loose(&loose.join(".git"));
    fixture.write_packed(&packed);
    let main = fixture.references["HEAD"].to_string();
    for repository in [&loose, &packed] {
        for fragment in ["", "#", "#main", "#v1", "#refs/heads/main", &format!("#{main}")] {
            let context = open(repository, fragment).unwrap();
            assert_eq!(files(&context), MAIN, "{fragment}");
            let commit = context.commit().unwrap().unwrap();
            assert_eq!(commit, Commit { id: main.clone(), time: TIME });
        }
        let part = open(repository, "#main:app").unwrap();
        assert_eq!(files(&part), ["644 README read me", "755 run #!/bin/sh"]);
        let branch = open(repository, "#feature/dev").unwrap();
        assert_eq!(files(&branch), ["644 README read me", "755 run #!/bin/sh"]);
        assert_eq!(branch.commit().unwrap().unwrap().time, TIME + 60);
    }
}

#[test]
fn what_is_not_there_is_named() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("r.git");
    let fixture = Fixture::usual();
    fixture.write_loose(&path);
    let no = |name: &str| format!("the repository has no branch, tag or commit `{name}`");
    assert_eq!(error(&path, "#mian"), (no("mian"), Some("did you mean `main`?".to_owned())));
    assert_eq!(
        error(&path, "#0123abcd"),
        (no("0123abcd"), Some("a commit needs all of its 40 digits".to_owned()))
    );
    let unknown = "0123456789".repeat(4);
    assert_eq!(error(&path, &format!("#{unknown}")), (no(&unknown), None));
    let no_directory = |name| (format!("the commit has no directory `{name}`"), None);
    assert_eq!(error(&path, "#main:nothing"), no_directory("nothing"));
    assert_eq!(error(&path, "#main:README"), no_directory("README"));
    let gone = home.path().join("gone");
    assert_eq!(error(&gone, "").0, format!("`{}` is not a git repository", gone.display()));
    let url = GitSource::parse("https://host/x.git").unwrap();
    let ContextError::Git(error) = Context::git(&url, None, home.path()).unwrap_err() else {
        panic!()
    };
    assert!(matches!(error, GitError::NoNetwork { .. }));
}

#[test]
fn broken_repositories_are_not_believed() {
    let home = tempfile::tempdir().unwrap();
    let fixture = Fixture::usual();
    let broken = |change: &dyn Fn(&Path, &mut Fixture)| {
        let path = home.path().join("r");
        let mut fixture = fixture.clone();
        fixture.write_loose(&path);
        change(&path, &mut fixture);
        let error = error(&path, "").0;
        fs_err::remove_dir_all(&path).unwrap();
        error
    };
    let readme = Id::of(Kind::Blob, b"read me\n").unwrap();
    let file = |path: &Path, id: Id| {
        let name = id.to_string();
        path.join("objects").join(&name[..2]).join(&name[2..])
    };
    let missing = broken(&|path, _| fs_err::remove_file(file(path, readme)).unwrap());
    assert_eq!(missing, format!("the repository is broken: the object {readme} is missing"));
    let other = broken(&|path, _| {
        fs_err::write(file(path, readme), super::fixture::deflate(b"blob 1\0x")).unwrap();
    });
    assert_eq!(other, format!("the repository is broken: the object {readme} is another one"));
    let noise = broken(&|path, _| fs_err::write(file(path, readme), b"noise").unwrap());
    assert_eq!(noise, format!("the repository is broken: the object {readme} is damaged"));
    for name in [".git", ".GIT", "..", ".", "a/b", ""] {
        let error = broken(&|path, fixture| {
            let tree = fixture.tree(&[("100644", name, readme)]);
            let commit = fixture.commit(tree, 0);
            fixture.references.insert("refs/heads/main".to_owned(), commit);
            fs_err::remove_dir_all(path).unwrap();
            fixture.write_loose(path);
        });
        assert_eq!(error, format!("the repository is broken: it has a file `{name}`"));
    }
    let config = |text: &str| broken(&|path, _| fs_err::write(path.join("config"), text).unwrap());
    assert_eq!(
        config("[extensions]\n\tobjectFormat = sha256\n"),
        "the repository uses SHA-256 for its objects, which is not supported"
    );
    assert_eq!(
        config("[extensions]\n\trefStorage = reftable\n"),
        "the repository uses the reftable format, which is not supported"
    );
}

#[test]
fn other_repositories_lend_objects_and_working_trees_share_them() {
    let home = tempfile::tempdir().unwrap();
    let fixture = Fixture::usual();
    let (lender, clone, tree) =
        (home.path().join("lender.git"), home.path().join("clone.git"), home.path().join("tree"));
    fixture.write_packed(&lender);
    let empty = Fixture { references: fixture.references, ..Fixture::default() };
    empty.write_loose(&clone);
    fs_err::create_dir_all(clone.join("objects/info")).unwrap();
    let alternates = format!("{}\n", lender.join("objects").display());
    fs_err::write(clone.join("objects/info/alternates"), alternates).unwrap();
    assert_eq!(files(&open(&clone, "").unwrap()), MAIN);
    // A linked working tree, as `git worktree add` makes it.
    let own = lender.join("worktrees/tree");
    fs_err::create_dir_all(&own).unwrap();
    fs_err::create_dir_all(&tree).unwrap();
    fs_err::write(own.join("HEAD"), "ref: refs/heads/feature/dev\n").unwrap();
    fs_err::write(own.join("commondir"), "../..\n").unwrap();
    fs_err::write(tree.join(".git"), format!("gitdir: {}\n", own.display())).unwrap();
    let context = open(&tree, "").unwrap();
    assert_eq!(context.commit().unwrap().unwrap().time, TIME + 60);
}

#[test]
fn a_directory_has_the_commit_of_the_repository_around_it() {
    let home = tempfile::tempdir().unwrap();
    Fixture::usual().write_loose(&home.path().join(".git"));
    fs_err::create_dir_all(home.path().join("a/b")).unwrap();
    let commit = Context::directory(&home.path().join("a/b")).unwrap().commit().unwrap();
    assert_eq!(commit.map(|commit| commit.time), Some(TIME));
    fs_err::write(home.path().join(".git/HEAD"), "ref: refs/heads/unborn\n").unwrap();
    assert_eq!(Context::directory(home.path()).unwrap().commit().unwrap(), None);
}

#[test]
fn sources_are_read() {
    let parse = |text: &str| GitSource::parse(text).map_err(|error| error.to_string());
    let source = |location, reference: &str, directory: &str| {
        let reference = (!reference.is_empty()).then(|| reference.to_owned());
        Ok(GitSource { location, reference, subdirectory: directory.into() })
    };
    let url = |url: &str| Location::Url(url.to_owned());
    let path = |path: &str| Location::Path(path.into());
    assert_eq!(parse("https://h/r.git"), source(url("https://h/r.git"), "", ""));
    assert_eq!(parse("https://h/r.git/#v1:a/./b/"), source(url("https://h/r.git"), "v1", "a/b"));
    assert_eq!(parse("HTTP://h/r#:/a"), source(url("HTTP://h/r"), "", "a"));
    assert_eq!(parse("file:///a/r.git#feature/x"), source(path("/a/r.git"), "feature/x", ""));
    assert_eq!(parse("file:r#x"), source(path("r"), "x", ""));
    assert_eq!(parse("../r"), source(path("../r"), "", ""));
    for text in [
        "",
        "#main",
        "r#a b",
        "r#../x",
        "r#a//b",
        "r#a..b",
        "r#x:../y",
        "ssh://h/r",
        "git://h/r",
        "https://h/r?x=y",
        "r#a\nb",
        "r#-x:\0/../y",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}
