//! Where contexts and files come from besides a folder: archives, repositories, the web.

use std::process::Command;

use serde_json::json;
use support::{Answer, HttpServer, Skopeo};

use super::Workshop;

/// What a Dockerfile without commands builds, seen by somebody else.
const DOCKERFILE: &str = "FROM scratch\nCOPY . /\n";

fn tree(shop: &Workshop) -> Vec<String> {
    let tree = Skopeo::new().tree(&format!("docker://{}/app:1", shop.registry()));
    tree.into_keys().collect()
}

fn with(shop: &Workshop, context: &str) -> String {
    format!("context = {context:?}\ntags = [\"{}/app:1\"]", shop.registry())
}

#[test]
fn an_archive_is_a_context_as_its_folder_is() {
    let shop = Workshop::new();
    shop.host.write("app/Dockerfile", DOCKERFILE);
    shop.host.write("app/.dockerignore", "Dockerfile\n.dockerignore\ndrop\n");
    shop.host.write("app/sub/one", "1");
    shop.host.write("app/drop", "");
    let folder = shop.build(&with(&shop, "app"));
    assert_eq!(tree(&shop), ["sub", "sub/one"]);
    for (archive, flags) in [("app.tar", "-cf"), ("app.tar.gz", "-czf")] {
        let mut tar = Command::new("tar");
        // An archive has owners and times, which are not of the image.
        tar.args(["--owner=12:34", "--mtime=2001-01-01", flags]).arg(shop.host.path(archive));
        assert!(tar.arg("-C").arg(shop.host.path("app")).arg(".").status().unwrap().success());
        let built = shop.build(&with(&shop, archive));
        assert_eq!(built["digest"], folder["digest"], "{archive}");
    }
}

#[test]
fn a_branch_and_a_folder_of_a_repository_are_a_context() {
    let shop = Workshop::new();
    let repository = shop.host.path("repo");
    shop.host.write("repo/sub/Dockerfile", DOCKERFILE);
    shop.host.write("repo/sub/on-main", "1");
    shop.host.write("repo/outside", "");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C").arg(&repository).args(arguments);
        for (name, value) in [
            ("HOME", "/nonexistent"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "a"),
            ("GIT_AUTHOR_EMAIL", "a@example.com"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@example.com"),
            ("GIT_AUTHOR_DATE", "@1600000000 +0000"),
            ("GIT_COMMITTER_DATE", "@1600000000 +0000"),
        ] {
            git.env(name, value);
        }
        let done = git.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "one"]);
    git(&["checkout", "-q", "-b", "other"]);
    shop.host.write("repo/sub/on-other", "2");
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "two"]);
    let head = git(&["rev-parse", "HEAD"]);
    git(&["checkout", "-q", "main"]);

    let said = with(&shop, "file:repo#other:sub");
    let built = shop.build(&format!("{said}\nsource-date-epoch = \"commit\"\nprovenance = true"));
    assert_eq!(built["revision"], head.as_str());
    assert_eq!(tree(&shop), ["Dockerfile", "on-main", "on-other"]);
    let config = Skopeo::new().config(&format!("docker://{}/app:1", shop.registry()));
    assert_eq!(config["created"], "2020-09-13T12:26:40Z");

    shop.build(&with(&shop, "file:repo#main:sub"));
    assert_eq!(tree(&shop), ["Dockerfile", "on-main"]);
    let ran = shop.try_build(&with(&shop, "file:repo#nowhere:sub"));
    ran.exits(1);
    assert!(ran.stdout.contains("nowhere"), "{}", ran.account());
}

#[test]
fn nothing_is_fetched_from_a_host_that_is_not_named() {
    let shop = Workshop::new();
    let server = HttpServer::start(|_| Answer::body("hello"));
    let dockerfile = format!("FROM scratch\nADD http://{}/hello /got\n", server.address());
    shop.host.write("app/Dockerfile", dockerfile);
    shop.host.write("p.toml", shop.pipeline("context = \"app\""));
    let ran = shop.host.run(&["run", "p.toml"]);
    ran.exits(3).stderr_says(&["Dockerfile:2:1", "hosts", &server.address()]);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_rule_of_an_ignore_file_that_is_none_is_shown() {
    let shop = Workshop::new();
    shop.host.write("app/Dockerfile", DOCKERFILE);
    shop.host.write("app/.dockerignore", "# fine\n*.o\n[a-\n");
    shop.host.write("p.toml", shop.pipeline("context = \"app\""));
    let ran = shop.host.run(&["run", "p.toml"]);
    ran.exits(1).stderr_says(&[".dockerignore:3", "[a-"]);
    // That of one Dockerfile goes before it.
    shop.host.write("app/Dockerfile.dockerignore", "*\n!kept\n");
    shop.host.write("app/kept", "");
    assert_eq!(shop.build(&with(&shop, "app"))["steps"], json!({ "done": 1, "cached": 0 }));
    assert_eq!(tree(&shop), ["kept"]);
}
