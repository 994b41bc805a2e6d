use std::os::unix::fs::symlink;

use super::*;
use crate::{GrantText, Granted, recorder::TestRun};

fn grant(read: &[&str], write: &[&str]) -> GrantText {
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    GrantText { workspace_read: owned(read), workspace_write: owned(write), ..GrantText::default() }
}

fn put(run: &TestRun, path: &str, text: &str) {
    let path = run.workspace().join(path);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

async fn code_of_read(call: &Granted, path: &str) -> String {
    match call.workspace.read(path).await {
        Ok(_) => "ok".to_owned(),
        Err(fault) => fault.code,
    }
}

#[tokio::test]
async fn granted_files_are_read_written_and_listed() {
    let run = TestRun::new();
    put(&run, "app/a.txt", "one");
    let call = run.call(&grant(&["app"], &["out"]));
    assert_eq!(call.workspace.read("app/a.txt").await.unwrap(), b"one");
    assert_eq!(call.workspace.read("./app//a.txt").await.unwrap(), b"one");
    call.workspace.write("out/deep/b.txt", b"two".to_vec()).await.unwrap();
    call.workspace.write("out/deep/b.txt", b"three".to_vec()).await.unwrap();
    assert_eq!(call.workspace.read("out/deep/b.txt").await.unwrap(), b"three");
    let entries = call.workspace.entries("out/deep").await.unwrap();
    let entry = DirectoryEntry { name: "b.txt".to_owned(), kind: FileKind::File, size: 5 };
    assert_eq!(entries, [entry], "no temporary file is left");
    assert_eq!(call.workspace.entries("out").await.unwrap()[0].kind, FileKind::Directory);
    assert_eq!(run.recorder.ledger()[2], "workspace write out/deep/b.txt: ok (3)");
}

#[tokio::test]
async fn what_is_not_granted_is_denied_with_the_line_to_add() {
    let run = TestRun::new();
    put(&run, "private/key", "x");
    let call = run.call(&grant(&["app"], &["out"]));
    let fault = call.workspace.read("private/key").await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.workspace"));
    assert!(fault.help.unwrap().contains("\"private/key\" in the list of `workspace.read`"));
    assert!(call.workspace.write("app/a.txt", vec![]).await.is_err(), "reading is not writing");
    assert!(call.workspace.entries("").await.is_err());
    assert!(call.workspace.entries(".").await.is_err());
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_out() {
    let run = TestRun::new();
    fs_err::write(run.folder.path().join("outside"), "x").unwrap();
    let call = run.call(&grant(&["."], &["."]));
    let absolute = run.folder.path().join("outside").display().to_string();
    for path in [
        "../outside",
        "a/../../outside",
        "./../outside",
        "/etc/passwd",
        &absolute,
        "",
        "a\0b",
        "..\\x",
    ] {
        assert_eq!(code_of_read(&call, path).await, "invalid.workspace", "{path}");
        assert!(call.workspace.write(path, vec![]).await.is_err(), "{path}");
        assert!(call.workspace.entries(path).await.is_err(), "{path}");
    }
}

#[tokio::test]
async fn no_link_leads_out() {
    let run = TestRun::new();
    let outside = run.folder.path().join("outside");
    fs_err::create_dir_all(&outside).unwrap();
    fs_err::write(outside.join("secret"), "x").unwrap();
    put(&run, "private/secret", "x");
    put(&run, "app/real.txt", "real");
    let app = run.workspace().join("app");
    symlink(&outside, app.join("folder")).unwrap();
    symlink(outside.join("secret"), app.join("file")).unwrap();
    symlink("../private/secret", app.join("sibling")).unwrap();
    symlink("../../outside/secret", app.join("up")).unwrap();
    symlink("real.txt", app.join("inside")).unwrap();
    symlink(outside.join("new"), app.join("dangling")).unwrap();
    let call = run.call(&grant(&[], &["app"]));
    for path in ["app/folder/secret", "app/file", "app/sibling", "app/up"] {
        assert_eq!(code_of_read(&call, path).await, "denied.workspace", "{path}");
    }
    assert_eq!(code_of_read(&call, "app/inside").await, "ok");
    assert!(call.workspace.entries("app/folder").await.is_err());
    assert!(call.workspace.write("app/folder/new", b"x".to_vec()).await.is_err());
    // A link is replaced, never followed.
    call.workspace.write("app/dangling", b"x".to_vec()).await.unwrap();
    call.workspace.write("app/file", b"mine".to_vec()).await.unwrap();
    assert!(!outside.join("new").exists());
    assert_eq!(fs_err::read_to_string(outside.join("secret")).unwrap(), "x");
    let entries = call.workspace.entries("app").await.unwrap();
    let folder = entries.iter().find(|entry| entry.name == "folder").unwrap();
    assert_eq!((folder.kind, folder.size), (FileKind::Link, 0));
}

#[tokio::test]
async fn a_granted_file_is_just_that_file() {
    let run = TestRun::new();
    put(&run, "app/a.txt", "one");
    put(&run, "app/b.txt", "two");
    let call = run.call(&grant(&["app/a.txt"], &[]));
    assert_eq!(code_of_read(&call, "app/a.txt").await, "ok");
    assert_eq!(code_of_read(&call, "app/b.txt").await, "denied.workspace");
    assert!(call.workspace.preopens().unwrap().is_empty(), "WASI preopens directories only");
}

#[tokio::test]
async fn a_step_cannot_widen_a_narrower_grant_by_a_link_of_its_own() {
    let run = TestRun::new();
    put(&run, "private/secret", "x");
    fs_err::create_dir_all(run.workspace().join("out")).unwrap();
    symlink("../private", run.workspace().join("out/sub")).unwrap();
    let call = run.call(&grant(&["out/sub"], &["out"]));
    assert_eq!(code_of_read(&call, "out/sub/secret").await, "denied.workspace");
    let preopens = call.workspace.preopens().unwrap();
    assert_eq!(preopens.len(), 1, "{preopens:?}");
    assert_eq!(preopens[0].guest, "/workspace/out");
}

#[tokio::test]
async fn what_is_missing_or_of_the_wrong_kind_says_so() {
    let run = TestRun::new();
    put(&run, "a.txt", "x");
    let call = run.call(&grant(&["."], &["."]));
    assert_eq!(code_of_read(&call, "b.txt").await, "not-found.workspace");
    assert_eq!(code_of_read(&call, "a.txt/b").await, "invalid.workspace");
    assert_eq!(code_of_read(&call, ".").await, "invalid.workspace");
    assert_eq!(call.workspace.entries("a.txt").await.unwrap_err().code, "invalid.workspace");
    assert_eq!(call.workspace.entries("nowhere").await.unwrap_err().code, "not-found.workspace");
    fs_err::create_dir_all(run.workspace().join("dir")).unwrap();
    let fault = call.workspace.write("dir", vec![]).await.unwrap_err();
    assert_eq!(fault.code, "invalid.workspace");
    assert!(call.workspace.write("a.txt/b", vec![]).await.is_err());
}

#[tokio::test]
async fn a_file_over_16_mib_is_refused() {
    let run = TestRun::new();
    let file = fs_err::File::create(run.workspace().join("big")).unwrap();
    file.set_len(LARGEST_FILE + 1).unwrap();
    let fault = run.call(&grant(&["big"], &[])).workspace.read("big").await.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.message.as_str()),
        ("invalid.workspace", "`big` cannot be used: it has more than 16 MiB")
    );
    file.set_len(LARGEST_FILE).unwrap();
    assert!(run.call(&grant(&["big"], &[])).workspace.read("big").await.is_ok());
}

#[tokio::test]
async fn preopens_are_the_granted_folders() {
    let run = TestRun::new();
    put(&run, "app/a.txt", "x");
    let call = run.call(&grant(&["app", "."], &["out", "out/deeper"]));
    let root = fs_err::canonicalize(run.workspace()).unwrap();
    let preopen = |path: &str, guest: &str, writable: bool| Preopen {
        host: root.join(path),
        guest: guest.to_owned(),
        writable,
    };
    let mut found = call.workspace.preopens().unwrap();
    for preopen in &mut found {
        preopen.host = fs_err::canonicalize(&preopen.host).unwrap();
    }
    assert_eq!(
        found,
        [
            Preopen { host: root.clone(), guest: "/workspace".to_owned(), writable: false },
            preopen("app", "/workspace/app", false),
            preopen("out", "/workspace/out", true),
        ]
    );
    assert!(root.join("out").is_dir(), "a folder to write in is made");
}

#[tokio::test]
async fn preopens_are_confined_and_missing_folders_are_said() {
    let run = TestRun::new();
    symlink(run.folder.path(), run.workspace().join("link")).unwrap();
    let fault = run.call(&grant(&["link"], &[])).workspace.preopens().unwrap_err();
    assert_eq!(fault.code, "denied.workspace");
    let fault = run.call(&grant(&["nowhere"], &[])).workspace.preopens().unwrap_err();
    assert_eq!(fault.code, "not-found.workspace");
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let run = TestRun::new();
    fs_err::create_dir_all(run.workspace().join("out")).unwrap();
    let call = run.dry_call(&grant(&[], &["out"]));
    let fault = call.workspace.write("out/a", vec![]).await.unwrap_err();
    assert_eq!(fault.code, "denied.dry-run");
    assert!(!call.workspace.preopens().unwrap()[0].writable);
}

#[tokio::test]
async fn a_file_that_is_granted_and_is_not_there_yet_is_written_as_one() {
    let run = TestRun::new();
    put(&run, "full/kept", "x");
    let call = run.call(&grant(&[], &["new.json", "deep/new.json", "full"]));
    // What is granted for writing may be a folder: one is made for guests that open it.
    call.workspace.preopens().unwrap();
    for path in ["new.json", "deep/new.json"] {
        call.workspace.write(path, b"{}".to_vec()).await.unwrap();
        assert_eq!(fs_err::read(run.workspace().join(path)).unwrap(), b"{}");
    }
    let fault = call.workspace.write("full", b"{}".to_vec()).await.unwrap_err();
    assert_eq!(fault.code, "invalid.workspace");
    assert_eq!(call.workspace.read("full/kept").await.unwrap(), b"x");
}
