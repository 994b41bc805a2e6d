//! The tutorial's end: the base is updated, and the application is built again by itself.

use serde_json::json;
use support::{Embedded, Skopeo, TempDir, TestHost, repository_root, str};

use super::runs;
use crate::build::Workshop;

/// What `pipelines/rebuild` says, and what somebody makes of it.
const VERSION: &str = "NODE_VERSION=9.11.2\n";
const CHANGED: &str = "NODE_VERSION=9.11.2a\n";

/// Takes the files of the example.
fn take_example(host: &TestHost) {
    for entry in std::fs::read_dir(repository_root().join("pipelines/rebuild")).unwrap() {
        let path = entry.unwrap().path();
        host.write(path.file_name().unwrap().to_str().unwrap(), std::fs::read(&path).unwrap());
    }
}

#[test]
fn an_application_is_built_again_by_itself_when_its_base_is_another_one() {
    let shop = Workshop::new();
    let files = TempDir::new().unwrap();
    let apps = Embedded::start(&shop.host, files.path());
    let host = &shop.host;
    take_example(host);
    for name in ["base.toml", "rebuild.toml"] {
        host.run(&["check", name]).exits(0);
        host.run(&["plan", name]).exits(0);
    }
    let (from, apps) = (format!("from={}", shop.base()), apps.address());
    let (bases, to) = (format!("bases={}", shop.registry()), format!("apps={apps}"));
    let base = ["run", "base.toml", "--input", &from, "--input", &bases];
    let app = |words: &[&str], more: &[&str]| {
        let inputs = ["--input", &bases, "--input", &to];
        host.run(&[words, &["rebuild.toml"], &inputs, more].concat())
    };
    host.run(&base).exits(0);
    app(&["run"], &[]).exits(0);
    app(&["watch"], &["--once"]).exits(0);

    let text = host.read("Dockerfile-base");
    assert!(text.contains(VERSION), "{text}");
    host.write("Dockerfile-base", text.replace(VERSION, CHANGED));
    host.run(&base).exits(0);
    app(&["watch"], &["--once", "--detailed-exitcode"]).exits(10);
    let list = ["runs", "--pipeline", "helloworld"];
    host.run(&list).exits(0).stdout_is(str![[r#"
RUN ID    PIPELINE    PLATFORM    STATUS     TRIGGER       STARTED               DURATION
--------  ----------  ----------  ---------  ------------  --------------------  ----------
[..]       helloworld  Linux       Succeeded  Image Update  [TIME]  00:00:0[..]
[..]       helloworld  Linux       Succeeded  Manual        [TIME]  00:00:0[..]

"#]]);
    let all = runs(host);
    let id = all.last().unwrap()["id"].as_str().unwrap();
    let config = Skopeo::new().config(&format!("docker://{apps}/helloworld:{id}"));
    let env = config["config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!(CHANGED.trim())), "{env:?}");
}
