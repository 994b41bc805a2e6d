//! What starts runs by itself: `[on]`, `windlass watch`, `windlass triggers`.

mod busy;
mod documented;
mod hooks;
mod killed;
mod looks;
mod story;

use serde_json::{Value, json};
use support::{
    Access, DockerRegistry, HostileRegistry, Image, Mischief, Signal, TestHost, poll,
    push_with_skopeo, str,
};

use crate::host;

/// A world with the pipeline `p.toml`, which says hello when what `on` names has come.
fn watching(on: &str) -> TestHost {
    let echo = TestHost::guest("echo");
    host().file(
        "p.toml",
        format!(
            "schema = 1\n[pipeline]\nname = \"hello\"\n\n{on}\n[[step]]\nid = \"hello\"\n\
             uses = {echo:?}\nwith = {{ text = \"{{{{ run.trigger }}}}\" }}\n"
        ),
    )
}

fn on_images(images: &[String], rest: &str) -> String {
    format!("[[on.image-update]]\nimages = {images:?}\n{rest}\n")
}

/// An image that no other number gives.
fn image(number: usize) -> Image {
    Image::multi_arch(&["linux/amd64", "linux/arm64"], 1000 + number)
}

/// Pushes another image; the digest of its manifest for linux/amd64.
fn push(registry: &DockerRegistry, number: usize) -> String {
    let image = image(number);
    push_with_skopeo(&image, registry, Access::Anonymous, "base/node:9-alpine");
    image.manifests[0].0.clone()
}

fn node(registry: &DockerRegistry) -> String {
    format!("{}/base/node:9-alpine", registry.address())
}

/// The runs that were recorded, oldest first.
#[track_caller]
fn runs(host: &TestHost) -> Vec<Value> {
    let ran = host.run(&["runs", "--last", "1000", "--format", "json"]);
    ran.exits(0);
    let mut runs: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    runs.reverse();
    runs
}

/// What `windlass triggers` says of `p.toml`.
#[track_caller]
fn triggers(host: &TestHost) -> Vec<Value> {
    let ran = host.run(&["triggers", "p.toml", "--format", "json"]);
    ran.exits(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_new_image_starts_one_run_and_an_unchanged_one_costs_one_request() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let old = push(&registry, 1);
    let host = watching(&on_images(&[node(&registry)], ""));
    host.run(&["watch", "p.toml", "--once"]).exits(0).stderr_is("nothing has come\n");
    let before = registry.requests().len();
    host.run(&["watch", "p.toml", "--once", "--detailed-exitcode"]).exits(0);
    let asked = registry.requests().split_off(before);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("HEAD /v2/base/node/manifests/9-alpine"), "{asked:?}");
    assert!(runs(&host).is_empty());

    let new = push(&registry, 2);
    let ran = host.run(&["watch", "p.toml", "--once", "--detailed-exitcode"]);
    ran.exits(10).stderr_says(&["`image-update` of p.toml starts run "]);
    host.run(&["watch", "p.toml", "--once", "--detailed-exitcode"]).exits(0);
    let all = runs(&host);
    assert_eq!(all.len(), 1);
    assert_eq!(
        (&all[0]["trigger"], &all[0]["status"]),
        (&json!("image-update"), &json!("succeeded"))
    );
    let changes = all[0]["cause"]["images"].as_array().unwrap();
    let change = json!({
        "image": node(&registry), "platform": "linux/amd64", "old": old, "new": new,
        "tag": "9-alpine",
    });
    assert_eq!((changes.len(), &changes[0]), (2, &change));
    host.run(&["runs"]).exits(0).stdout_is(str![[r#"
RUN ID    PIPELINE    PLATFORM    STATUS     TRIGGER       STARTED               DURATION
--------  ----------  ----------  ---------  ------------  --------------------  ----------
[..]       hello       Linux       Succeeded  Image Update  [TIME]  00:00:0[..]

"#]]);
}

#[test]
fn a_platform_counts_and_the_others_do_not() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let host = watching(&on_images(&[node(&registry)], "platforms = [\"linux/amd64\"]"));
    host.run(&["watch", "p.toml", "--once"]).exits(0);
    let [trigger] = &triggers(&host)[..] else { panic!("there is one") };
    assert_eq!(trigger["seen"][0]["digest"], image(1).digest());
    assert_eq!(trigger["armed"], true);
    let only = Image::multi_arch(&["linux/amd64"], 1001);
    push_with_skopeo(&only, &registry, Access::Anonymous, "base/node:9-alpine");
    let both = image(1);
    let is_same = both.manifests[0].0 == only.manifests[0].0;
    let expected = if is_same { 0 } else { 10 };
    host.run(&["watch", "p.toml", "--once", "--detailed-exitcode"]).exits(expected);
    push(&registry, 7);
    host.run(&["watch", "p.toml", "--once", "--detailed-exitcode"]).exits(10);
}

#[test]
fn the_first_look_may_start_a_run() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let host = watching(&on_images(&[node(&registry)], "first-seen = \"fire\""));
    for exit in [10, 0] {
        host.run(&["watch", "p.toml", "--once", "--detailed-exitcode"]).exits(exit);
    }
}

#[test]
fn two_who_watch_at_once_start_one_run() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 0);
    let host = watching(&on_images(&[node(&registry)], ""));
    host.run(&["watch", "p.toml", "--once"]).exits(0);
    for number in 1..=4 {
        let new = push(&registry, number);
        let arguments = ["watch", "p.toml", "--once"];
        let watchers: Vec<_> = (0..3).map(|_| host.spawn(&arguments, b"")).collect();
        for watcher in watchers {
            host.finish(watcher, &arguments).exits(0);
        }
        let all = runs(&host);
        assert_eq!(all.len(), number);
        assert_eq!(all[number - 1]["cause"]["images"][0]["new"], new);
    }
}

#[test]
fn registries_in_trouble_are_said_and_hold_nobody_up() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let hostile =
        [401, 404, 429, 500].map(|status| HostileRegistry::empty(Mischief::Always(status)));
    let mut on: String = hostile
        .iter()
        .map(|hostile| on_images(&[format!("{}/app:v1", hostile.address())], ""))
        .collect();
    // Nobody listens there.
    on += &on_images(&["127.0.0.1:1/app:v1".to_owned()], "");
    on += &on_images(&[node(&registry)], "");
    let host = watching(&on);
    let ran = host.run(&["watch", "p.toml", "--once"]);
    assert_ne!(ran.code, Some(0), "{}", ran.account());
    push(&registry, 2);
    host.run(&["watch", "p.toml", "--once"]);
    assert_eq!(runs(&host).len(), 1);
    let all = triggers(&host);
    assert_eq!(all.len(), 6);
    for failed in &all[..5] {
        assert_eq!(failed["armed"], false);
        assert!(failed["error"].as_str().unwrap().contains("/app:v1`: "), "{failed}");
    }
    assert_eq!((&all[5]["armed"], &all[5]["error"]), (&json!(true), &json!(null)));
}

#[test]
fn who_watches_on_sees_a_change_and_ends_with_a_signal() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let host = watching(&on_images(&[node(&registry)], "every = \"1s\"\njitter = \"0s\""));
    let mut watcher = host.spawn(&["watch", "p.toml"], b"");
    watcher.wait_for("watching", |_, stderr| {
        stderr.contains("watching 1 trigger of p.toml").then_some(())
    });
    poll("a trigger that is armed", || (triggers(&host)[0]["armed"] == true).then_some(()));
    push(&registry, 2);
    let run = poll("a run", || runs(&host).into_iter().find(|run| run["status"] == "succeeded"));
    assert_eq!(run["trigger"], "image-update");
    watcher.signal(Signal::SIGTERM);
    host.finish(watcher, &["watch", "p.toml"]).exits(0);
}

#[test]
fn triggers_are_listed_with_what_they_saw() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 1);
    let schedule = "[[on.schedule]]\ncron = \"0 3 * * *\"\nzone = \"Europe/Berlin\"\n";
    let host = watching(&(on_images(&["127.0.0.1:1/app:v1".to_owned()], "") + schedule));
    host.run(&["triggers"])
        .exits(0)
        .stderr_is("nothing was watched yet: `windlass watch PIPELINE`\n");
    host.run(&["triggers", "p.toml"]).exits(0).stdout_is(str![[r#"
TRIGGER       PIPELINE    WATCHES                    SEEN    ARMED    LAST CHECK    NEXT CHECK    STATE
------------  ----------  -------------------------  ------  -------  ------------  ------------  ---------------
image-update  p.toml      127.0.0.1:1/app:v1                 no                                   never looked at
schedule      p.toml      0 3 * * * (Europe/Berlin)          no                                   never looked at

"#]]);
    host.run(&["watch", "p.toml", "--once"]);
    let all = triggers(&host);
    assert_eq!((&all[1]["armed"], &all[1]["stale"]), (&json!(true), &json!(false)));
    let next = all[1]["next-at"].as_str().unwrap();
    assert!(next.ends_with("T01:00:00.000Z") || next.ends_with("T02:00:00.000Z"), "{next}");
    assert!(runs(&host).is_empty());
}

#[test]
fn what_cannot_be_watched_is_said_at_once() {
    let host = watching("");
    let ran = host.run(&["watch", "p.toml", "--once"]);
    ran.exits(2).stderr_says(&["`p.toml` has nothing to watch", "[[on.image-update]]"]);
    let wrong = ["oci-layout:base:v1".to_owned(), "Not An Image".to_owned()];
    let host = watching(&on_images(&wrong, "platforms = [\"amd64\"]"));
    let ran = host.run(&["check", "p.toml"]);
    ran.exits(2).stderr_says(&["Not An Image", "amd64"]);
}
