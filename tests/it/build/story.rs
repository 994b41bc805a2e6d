//! The tutorial of ACR Tasks, with two registries of ours and a stand-in for node: a base in one, an
//! application on it in the other.

use serde_json::json;
use support::{Embedded, Skopeo, TempDir};

use super::Workshop;

const NODE: &str = "#!/bin/sh\necho \"Hello from node $NODE_VERSION: $*\"\n";

const BASE: &str = "FROM BUSYBOX\nCOPY --chmod=755 node /bin/node\nENV NODE_VERSION 9.11.2\n";

const APP: &str = "ARG REGISTRY_NAME\nFROM ${REGISTRY_NAME}/baseimages/node:9-alpine\n\
                   COPY . /src\nWORKDIR /src\nRUN node --version > version.txt\n\
                   EXPOSE 80\nCMD [\"node\", \"/src/server.js\"]\n";

#[test]
fn an_application_is_built_on_a_base_of_another_registry() {
    let shop = Workshop::new();
    let files = TempDir::new().unwrap();
    let apps = Embedded::start(&shop.host, files.path());
    let registry = shop.registry().to_owned();
    shop.host.write("node/node", NODE);
    shop.host.write("node/Dockerfile-base", BASE.replace("BUSYBOX", &shop.base()));
    shop.host.write("app/Dockerfile-app", APP);
    shop.host.write("app/server.js", "serve()\n");
    let node = format!("{registry}/baseimages/node:9-alpine");
    let built =
        shop.build(&format!("context = \"node\"\nfile = \"Dockerfile-base\"\ntags = [{node:?}]"));
    let base_digest = built["digest"].as_str().unwrap().to_owned();
    let app = format!("{}/helloworld:v1", apps.address());
    let with = format!(
        "context = \"app\"\nfile = \"Dockerfile-app\"\ntags = [{app:?}]\nargs = {{ REGISTRY_NAME = {registry:?} }}"
    );
    let built = shop.build(&with);
    let manifest = built["images"][0]["digest"].clone();
    assert_eq!(
        built["bases"],
        json!([{
            "name": node,
            "digest": base_digest,
            "platform": built["images"][0]["platform"],
            "manifest": base_digest,
            "runtime": true,
        }])
    );
    assert_eq!(built["digest"], manifest);
    let place = format!("docker://{app}");
    let config = Skopeo::new().config(&place);
    assert_eq!(config["config"]["Cmd"], json!(["node", "/src/server.js"]));
    assert_eq!(config["config"]["ExposedPorts"], json!({ "80/tcp": {} }));
    assert_eq!(config["config"]["WorkingDir"], "/src");
    let raw = Skopeo::new().manifest(&place);
    assert_eq!(raw["annotations"]["org.opencontainers.image.base.name"], node);
    assert_eq!(raw["annotations"]["org.opencontainers.image.base.digest"], base_digest);

    // Nothing changed: nothing is done, and nothing written.
    let again = shop.build(&with);
    assert_eq!(again["digest"], built["digest"]);
    assert_eq!((&again["changed"], &again["steps"]["done"]), (&json!(false), &json!(0)));

    // The base is updated: the application is another one.
    shop.host.write(
        "node/Dockerfile-base",
        BASE.replace("BUSYBOX", &shop.base()).replace("9.11.2", "9.11.2a"),
    );
    shop.build(&format!("context = \"node\"\nfile = \"Dockerfile-base\"\ntags = [{node:?}]"));
    let rebuilt = shop.build(&with);
    assert_ne!(rebuilt["digest"], built["digest"]);
    assert_eq!(rebuilt["changed"], true);
    let config = Skopeo::new().config(&place);
    let env = config["config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("NODE_VERSION=9.11.2a")), "{env:?}");
}
