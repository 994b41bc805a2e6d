//! What a trigger can look at.

use std::process::Command;

use serde_json::{Value, json};
use support::{
    Access, Answer, DockerRegistry, HttpServer, Image, Signal, TestHost, poll, push_with_skopeo,
};

use super::{image, node, on_images, push, runs, triggers, watching};

/// Looks once; whether a run was started.
#[track_caller]
fn starts(host: &TestHost) -> bool {
    let ran = host.run(&["watch", "p.toml", "--once", "--detailed-exitcode"]);
    match ran.code {
        Some(0) => false,
        Some(10) => true,
        _ => panic!("{}", ran.account()),
    }
}

#[test]
fn the_images_of_a_dockerfile_as_it_is_by_then() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    push_with_skopeo(&image(50), &registry, Access::Anonymous, "base/other:1");
    let address = registry.address();
    let on = format!(
        "[[on.image-update]]\ncontext = \"app\"\nargs = {{ HOST = \"{{{{ inputs.host }}}}\" }}\n\
         bases = [\"{address}/**\"]\n\n[inputs]\nhost = {{ type = \"string\" }}\n"
    );
    let host = watching(&on).file("app/Dockerfile", "ARG HOST\nFROM $HOST/base/node:9-alpine\n");
    let look = |host: &TestHost| {
        let input = format!("host={address}");
        host.run(&["watch", "p.toml", "--once", "--detailed-exitcode", "-i", &input]).code
    };
    assert_eq!((look(&host), look(&host)), (Some(0), Some(0)));
    assert_eq!(triggers(&host)[0]["watches"], "app/Dockerfile");
    push(&registry, 2);
    assert_eq!(look(&host), Some(10));
    // Another base, which is seen for the first time.
    host.write("app/Dockerfile", "ARG HOST\nFROM $HOST/base/other:1\n");
    push(&registry, 3);
    assert_eq!(look(&host), Some(0));
    push_with_skopeo(&image(51), &registry, Access::Anonymous, "base/other:1");
    assert_eq!(look(&host), Some(10));
    host.write("app/Dockerfile", "FORM scratch\n");
    let ran = host.run(&["watch", "p.toml", "--once", "-i", &format!("host={address}")]);
    ran.exits(1).stderr_says(&["Dockerfile:1:", "FORM"]);
}

#[test]
fn the_newest_tag() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let tag = |number, tag: &str| {
        push_with_skopeo(&image(number), &registry, Access::Anonymous, &format!("base/node:{tag}"));
    };
    tag(1, "1.0.0");
    tag(2, "2.0.0");
    let repository = format!("{}/base/node", registry.address());
    let host = watching(&on_images(&[repository], "semver = \"<2\""));
    assert!(!starts(&host));
    tag(3, "2.1.0");
    assert!(!starts(&host));
    tag(4, "1.10.0");
    assert!(starts(&host));
    assert_eq!(runs(&host)[0]["cause"]["images"][0]["old-tag"], "1.0.0");
}

#[test]
fn an_index_that_settles() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let host = watching(&on_images(&[node(&registry)], "settle = \"1s\"\nevery = \"1s\""));
    assert!(!starts(&host));
    push(&registry, 2);
    assert!(!starts(&host), "it moves still");
    poll("that it has settled", || starts(&host).then_some(()));
    assert!(!starts(&host));
    assert_eq!(runs(&host).len(), 1);
}

#[test]
fn what_a_step_has_built_on_is_known_when_it_has_run() {
    let on = "[[on.image-update]]\nbases-of = \"{{ steps.hello.outputs.bases }}\"\n";
    let host = watching(on);
    let ran = host.run(&["watch", "p.toml", "--once"]);
    ran.exits(1).stderr_says(&["what `hello` gave is not known: it has not run yet"]);
    assert_eq!(triggers(&host)[0]["armed"], false);
}

#[test]
fn the_commit_of_a_branch() {
    let host = watching("[[on.git]]\nbranch = \"main\"\n");
    let folder = host.path("");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"];
        let mut git = Command::new("git");
        git.arg("-C").arg(&folder).args(identity).args(arguments);
        let output = git.output().expect("git runs: `apt-get install git`");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let ran = host.run(&["watch", "p.toml", "--once"]);
    ran.exits(1).stderr_says(&["git says: not a git repository"]);
    git(&["init", "--quiet", "--initial-branch", "main"]);
    let ran = host.run(&["watch", "p.toml", "--once"]);
    ran.exits(1).stderr_says(&["the repository has no branch `main`"]);
    let commit = || {
        git(&["commit", "--quiet", "--allow-empty", "--message", "m"]);
        git(&["rev-parse", "HEAD"])
    };
    let first = commit();
    assert!(!starts(&host) && !starts(&host));
    let second = commit();
    assert!(starts(&host) && !starts(&host));
    let [run] = &runs(&host)[..] else { panic!("there is one") };
    let change = json!({
        "repository": ".", "reference": "refs/heads/main", "old": first, "new": second,
    });
    assert_eq!((&run["trigger"], &run["cause"]["commit"]), (&json!("commit"), &change));
    // From elsewhere, as a URL; what that one points at.
    let url = format!("file://{}", folder.display());
    let host = watching(&format!("[[on.git]]\nrepository = {url:?}\nfirst-seen = \"fire\"\n"));
    assert!(starts(&host) && !starts(&host));
    assert_eq!(runs(&host)[0]["cause"]["commit"]["reference"], "refs/heads/main");
    commit();
    assert!(starts(&host));
    git(&["checkout", "--quiet", "-b", "other"]);
    assert!(starts(&host), "it points at another branch, which was never seen");
    assert!(!starts(&host));
}

#[test]
fn a_time_of_day() {
    let host = watching("[[on.schedule]]\ncron = \"* * * * *\"\n");
    let watcher = host.spawn(&["watch", "p.toml"], b"");
    let run = poll("a minute to be over", || runs(&host).into_iter().next());
    assert_eq!(run["trigger"], "timer");
    watcher.signal(Signal::SIGTERM);
    host.finish(watcher, &["watch", "p.toml"]).exits(0);
}

#[test]
fn a_clock_that_was_set_back() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let host = watching(&on_images(&[node(&registry)], "every = \"1h\""));
    assert!(!starts(&host));
    // As if that look had been a year from now.
    let record = rusqlite::Connection::open(host.path(".home/state/runs.sqlite")).unwrap();
    let year = 365 * 24 * 3600 * 1000_i64;
    let moved = "UPDATE triggers SET checked_at = checked_at + ?1, next_at = next_at + ?1";
    assert_eq!(record.execute(moved, [year]).unwrap(), 1);
    push(&registry, 2);
    let watcher = host.spawn(&["watch", "p.toml"], b"");
    poll("a run", || runs(&host).into_iter().find(|run| run["status"] == "succeeded"));
    watcher.signal(Signal::SIGTERM);
    host.finish(watcher, &["watch", "p.toml"]).exits(0);
    // And as if it had been a year ago.
    record.execute(moved, [-year]).unwrap();
    assert!(!starts(&host));
    assert_eq!(runs(&host).len(), 1);
}

#[test]
fn a_registry_that_is_silent_or_talks_nonsense_holds_nobody_up() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let silent = HttpServer::start(|_| Answer::never());
    let garbage = HttpServer::start(|request| match request.method.as_str() {
        "HEAD" => Answer::status(405),
        _ => Answer::body("<html>").header("Content-Type", Image::media_type()),
    });
    let images = [silent.address(), garbage.address()].map(|host| format!("{host}/app:v1"));
    let mut on: String = images.iter().map(|it| on_images(std::slice::from_ref(it), "")).collect();
    on += &on_images(&[node(&registry)], "every = \"1s\"\njitter = \"0s\"");
    let host = watching(&on);
    let watcher = host.spawn(&["watch", "p.toml"], b"");
    poll("a trigger that is armed", || (triggers(&host)[2]["armed"] == true).then_some(()));
    push(&registry, 2);
    poll("a run", || runs(&host).into_iter().find(|run| run["status"] == "succeeded"));
    let all = triggers(&host);
    assert_eq!(all[0]["checked-at"], Value::Null, "nobody has answered yet");
    assert_eq!(all[1]["armed"], false);
    assert!(all[1]["error"].as_str().unwrap().contains("/app:v1"), "{}", all[1]);
    watcher.signal(Signal::SIGTERM);
    host.finish(watcher, &["watch", "p.toml"]).exits(0);
}

#[test]
fn one_image_that_cannot_be_seen_does_not_hide_the_others() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let images = [node(&registry), format!("{}/no/such:image", registry.address())];
    let host = watching(&on_images(&images, ""));
    let look = || host.run(&["watch", "p.toml", "--once"]);
    look().exits(1).stderr_says(&["could not look: ", "no/such:image"]);
    push(&registry, 2);
    look().stderr_says(&["starts run"]);
    assert_eq!(runs(&host).len(), 1);
    assert_eq!(triggers(&host)[0]["armed"], false);
    push_with_skopeo(&image(9), &registry, Access::Anonymous, "no/such:image");
    look().exits(0);
    assert_eq!((runs(&host).len(), &triggers(&host)[0]["armed"]), (1, &json!(true)));
}
