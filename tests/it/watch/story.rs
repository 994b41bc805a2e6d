//! The tutorial's end: the base is updated, and the application is built again by itself.

use serde_json::json;
use support::{Embedded, Skopeo, TempDir, str};

use super::runs;
use crate::build::Workshop;

const NODE: &str = "#!/bin/sh\necho \"Hello from node $NODE_VERSION: $*\"\n";

const APP: &str = "ARG REGISTRY_NAME\nFROM ${REGISTRY_NAME}/baseimages/node:9-alpine\n\
                   COPY . /src\nWORKDIR /src\nRUN node --version > version.txt\n\
                   CMD [\"node\", \"/src/server.js\"]\n";

fn base(shop: &Workshop, version: &str) -> String {
    let from = shop.base();
    format!("FROM {from}\nCOPY --chmod=755 node /bin/node\nENV NODE_VERSION {version}\n")
}

#[test]
fn an_application_is_built_again_by_itself_when_its_base_is_another_one() {
    let shop = Workshop::new();
    let files = TempDir::new().unwrap();
    let apps = Embedded::start(&shop.host, files.path());
    let (bases, apps) = (shop.registry(), apps.address());
    let node = format!("{bases}/baseimages/node:9-alpine");
    shop.host.write("node/node", NODE);
    shop.host.write("node/Dockerfile-base", base(&shop, "9.11.2"));
    shop.host.write("app/Dockerfile-app", APP);
    shop.host.write("app/server.js", "serve()\n");
    let with = format!("context = \"node\"\nfile = \"Dockerfile-base\"\ntags = [{node:?}]");
    shop.build(&with);
    let app = format!("{apps}/helloworld:{{{{ run.id }}}}");
    shop.host.write(
        "rebuild.toml",
        format!(
            "schema = 1\n[pipeline]\nname = \"taskhelloworld\"\n\n\
             [[on.image-update]]\nbases-of = \"{{{{ steps.app.outputs.bases }}}}\"\n\n\
             [[step]]\nid = \"app\"\nuses = \"build-image\"\n[step.with]\n\
             bases = [\"{bases}/**\"]\ncontext = \"app\"\nfile = \"Dockerfile-app\"\n\
             tags = [{app:?}]\nargs = {{ REGISTRY_NAME = {bases:?} }}\n"
        ),
    );
    shop.host.run(&["run", "rebuild.toml"]).exits(0);
    shop.host.run(&["watch", "rebuild.toml", "--once"]).exits(0);

    shop.host.write("node/Dockerfile-base", base(&shop, "9.11.2a"));
    shop.build(&with);
    shop.host.run(&["watch", "rebuild.toml", "--once", "--detailed-exitcode"]).exits(10);
    let list = ["runs", "--pipeline", "taskhelloworld"];
    shop.host.run(&list).exits(0).stdout_is(str![[r#"
RUN ID    PIPELINE        PLATFORM    STATUS     TRIGGER       STARTED               DURATION
--------  --------------  ----------  ---------  ------------  --------------------  ----------
[..]       taskhelloworld  Linux       Succeeded  Image Update  [TIME]  00:00:0[..]
[..]       taskhelloworld  Linux       Succeeded  Manual        [TIME]  00:00:0[..]

"#]]);
    let all = runs(&shop.host);
    let id = all.last().unwrap()["id"].as_str().unwrap();
    let config = Skopeo::new().config(&format!("docker://{apps}/helloworld:{id}"));
    let env = config["config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("NODE_VERSION=9.11.2a")), "{env:?}");
}
