//! The tutorial of ACR Tasks, told by `pipelines/azure/build.toml` itself: a base in one registry, an
//! application in another, and Azure, which builds it again when the base is another one.
//!
//! Docker Hub and GitHub stand on this machine: a registry with a stand-in for node, and git's own
//! server.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Answer, HttpServer, Request, TempDir, poll, repository_root, str};

use super::{World, log};
use crate::build::Workshop;

const REPOSITORY: &str = "Azure-Samples/acr-build-helloworld-node.git";

/// What the tutorial changes in the base.
const VERSION: &str = "NODE_VERSION 9.11.2\n";
const CHANGED: &str = "NODE_VERSION 9.11.2a\n";

#[test]
fn azure_builds_an_application_again_when_its_base_is_another_one() {
    let shop = Workshop::new();
    shop.build(&format!(
        "context = \"base\"\ntags = [\"{}/library/node:9-alpine\"]",
        shop.registry()
    ));
    let repositories = TempDir::new().unwrap();
    let github = github(repositories.path());
    let upstreams =
        [format!("docker.io=http://{}", shop.registry()), format!("github.com={}", github.url(""))];
    let [hub, git] = &upstreams;
    let world = World::new(&["--registry", "mybase", "--upstream", hub, "--upstream", git])
        .env("AZURE_TENANT_ID", "22222222-2222-2222-2222-222222222222")
        .env("AZURE_CLIENT_ID", "33333333-3333-3333-3333-333333333333")
        .env("AZURE_CLIENT_SECRET", super::SECRET)
        .env("GIT_PAT", "a-token-of-github");
    let host = &world.host;
    let file = repository_root().join("pipelines/azure/build.toml");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(VERSION), "{text}");
    host.write("story/build.toml", &text);

    let ran = host.run(&["run", "story/build.toml", "--format", "json", "-v"]);
    ran.exits(0);
    let outputs = |step: &str| ran.finished(step)["outputs"].clone();
    assert_eq!(outputs("base")["run-id"], "ca1", "{}", outputs("base"));
    assert_eq!(outputs("task")["changed"], true);
    assert_eq!(outputs("login")["changed"], true);
    let first = outputs("first-run");
    assert_eq!(first["runs"][0]["images"], json!(["myregistry.azurecr.io/helloworld:ca1"]));
    assert_eq!(outputs("runs")["runs"].as_array().unwrap().len(), 1);
    let told = log(&ran);
    for part in ["The following dependencies were found:", "registry: mybase.azurecr.io"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!ran.account().contains("a-token-of-github"), "{}", ran.account());

    // The same base again is no other base, and the task is as it should be.
    let only = |step: &str| {
        let ran = host.run(&["run", "story/build.toml", "--only", step, "--format", "json"]);
        ran.exits(0);
        ran.finished(step)["outputs"].clone()
    };
    only("base");
    assert_eq!(only("task")["changed"], false);
    assert_eq!(updates(&world), Vec::<Value>::new());

    host.write("story/build.toml", text.replace(VERSION, CHANGED));
    only("base");
    let update = poll("the run that the base has started", || updates(&world).into_iter().next());
    assert_eq!((&update["task"], &update["id"]), (&json!("taskhelloworld"), &json!("ca2")));
    assert_eq!(update["updated"][0]["reference"], "mybase.azurecr.io/baseimages/node:9-alpine");
    assert_ne!(update["images"][0]["digest"], first["digest"]);
    let version = |tag: &str| {
        let (tree, config) = world.image(&format!("myregistry.azurecr.io/helloworld:{tag}"));
        assert!(tree.contains_key("src/built-on.txt") && tree.contains_key("src/server.js"));
        let env = config["config"]["Env"].as_array().unwrap().clone();
        env.into_iter().find(|one| one.as_str().unwrap().starts_with("NODE_VERSION=")).unwrap()
    };
    assert_eq!(
        (version("ca1"), version("ca2")),
        (json!("NODE_VERSION=9.11.2"), json!("NODE_VERSION=9.11.2a"))
    );

    let asked = ["runs", "--acr", "myregistry.azurecr.io", "--acr", "mybase", "--pipeline"];
    host.run(&[&asked, ["taskhelloworld"].as_slice()].concat()).exits(0).stdout_is(str![[r#"
RUN ID    PIPELINE        PLATFORM    STATUS     TRIGGER       STARTED               DURATION    WHERE
--------  --------------  ----------  ---------  ------------  --------------------  ----------  ---------------------
ca2       taskhelloworld  Linux       Succeeded  Image Update  [TIME]  00:00:0[..]    myregistry.azurecr.io
ca1       taskhelloworld  Linux       Succeeded  Manual        [TIME]  00:00:0[..]    myregistry.azurecr.io

"#]]);
    let all = host.run(&["runs", "--acr", "myregistry", "--acr", "mybase", "--format", "tsv"]);
    let places: Vec<&str> =
        all.exits(0).stdout.lines().map(|line| line.rsplit('\t').next().unwrap()).collect();
    // Four runs of ours, two more to look at images; three builds of the base.
    let count = |place: &str| places.iter().filter(|one| **one == place).count();
    assert_eq!(
        (count("mybase.azurecr.io"), count("myregistry.azurecr.io"), count("here")),
        (3, 2, 6)
    );
}

/// The runs that a base has started and that went well.
fn updates(world: &World) -> Vec<Value> {
    let ran = world.host.run(&[
        "runs",
        "--acr",
        "myregistry.azurecr.io",
        "--trigger",
        "image-update",
        "--status",
        "succeeded",
        "--format",
        "json",
    ]);
    serde_json::from_str(&ran.exits(0).stdout).unwrap()
}

/// A server of repositories below `root`, with the one of the tutorial.
fn github(root: &Path) -> HttpServer {
    let folder = root.join(REPOSITORY);
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["Dockerfile-app", "server.js"] {
        let from = repository_root().join("pipelines/rebuild").join(name);
        std::fs::copy(from, folder.join(name)).unwrap();
    }
    for arguments in [
        ["init", "-q", "-b", "master"].as_slice(),
        &["add", "."],
        &["commit", "-q", "-m", "the application"],
    ] {
        let mut git = git(root);
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "a")
                .env(format!("GIT_{who}_EMAIL"), "a@example.com");
        }
        assert!(git.arg("-C").arg(&folder).args(arguments).status().unwrap().success());
    }
    let root = root.to_owned();
    HttpServer::start(move |request| serve(&root, request))
}

fn git(root: &Path) -> Command {
    let mut git = Command::new("git");
    git.env("HOME", root).env("GIT_CONFIG_NOSYSTEM", "1");
    git
}

/// Git's server, as a web server starts it (RFC 3875).
fn serve(root: &Path, request: &Request) -> Answer {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let mut git = git(root);
    git.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    git.env("PATH_INFO", path.replacen(".git/", ".git/.git/", 1));
    git.env("QUERY_STRING", query).env("REQUEST_METHOD", &request.method);
    for (variable, header) in [
        ("CONTENT_TYPE", "content-type"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
        ("GIT_PROTOCOL", "git-protocol"),
    ] {
        git.env(variable, request.header(header).unwrap_or_default());
    }
    let streams = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = streams.spawn().unwrap();
    running.stdin.take().unwrap().write_all(&request.body).unwrap();
    let said = running.wait_with_output().unwrap().stdout;
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(said[..end].to_vec()).unwrap();
    let headers: Vec<(&str, &str)> =
        head.lines().filter_map(|line| line.split_once(": ")).collect();
    let status = headers.iter().find(|(name, _)| *name == "Status");
    let status = status.and_then(|(_, value)| value.get(..3)?.parse().ok()).unwrap_or(200);
    let answer = Answer::status(status).with(&said[end + 4..]);
    headers.iter().fold(answer, |answer, (name, value)| answer.header(name, value))
}
