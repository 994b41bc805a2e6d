//! Pipelines against the emulated Azure, through its proxy, by the hosts' own names.

mod grant;
mod tasks;

use serde_json::Value;
use support::{Access, DockerRegistry, Image, Running, Signal, TestHost, push_with_skopeo};

use crate::host;

/// The emulator, run by the binary that is tested.
pub(crate) struct Emulator {
    running: Option<Running>,
    proxy: String,
}

impl Emulator {
    /// Starts it in `emulator` of the world of `host`.
    pub(crate) fn start(host: &TestHost, more: &[&str]) -> Self {
        let mut arguments =
            vec!["azure-emulator", "--state", "emulator", "--listen", "127.0.0.1:0"];
        // The images of these tests have nothing to run.
        arguments.extend(["--runtime", "none"]);
        arguments.extend(more);
        let mut running = host.spawn(&arguments, b"");
        let proxy = running.wait_for("where the emulator listens", |stdout, _| {
            stdout.strip_prefix("listening on ")?.split_once('\n').map(|(url, _)| url.to_owned())
        });
        Self { running: Some(running), proxy }
    }

    /// The world as it sees Azure, where `secret` is what the application logs in with.
    pub(crate) fn seen_by(&self, host: TestHost, secret: &str) -> TestHost {
        let ca = host.path("emulator/ca.pem");
        host.env("HTTPS_PROXY", &self.proxy).env("SSL_CERT_FILE", ca).env("APP_SECRET", secret)
    }

    /// Where its own address is, for faults.
    pub(crate) fn url(&self) -> &str {
        &self.proxy
    }

    /// All that it has printed.
    pub(crate) fn said(&self) -> String {
        self.running.iter().map(|running| running.stdout() + &running.stderr()).collect()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.signal(Signal::SIGTERM);
        }
    }
}

/// The identity that pipelines of these tests have, and a registry that knows it.
pub(crate) const IDENTITY: &str = r#"
[identity.prod]
kind = "azure"
tenant = "22222222-2222-2222-2222-222222222222"
client-id = "33333333-3333-3333-3333-333333333333"
client-secret = { secret = "app" }

[secrets]
app = { from = "env", name = "APP_SECRET" }

[registries."myregistry.azurecr.io"]
identity = "prod"
"#;

/// A pipeline with that identity and `steps`.
pub(crate) fn pipeline(steps: &str) -> String {
    format!("schema = 1\n\n[pipeline]\nname = \"azure\"\n{IDENTITY}\n{steps}")
}

#[test]
fn an_image_goes_into_a_registry_as_an_identity() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 1000);
    let host = host();
    image.write_layout(&host.path("image"), "v1");
    let copy = |source: &str, target: &str| {
        pipeline(&format!(
            "[[step]]\nid = \"copy\"\nuses = \"import-image\"\n\
             with = {{ source = \"{source}\", target = \"{target}\" }}\n"
        ))
    };
    let there = "myregistry.azurecr.io/base/node:22";
    let host = host.file("push.toml", copy("oci-layout:image:v1", there));
    let host = host.file("pull.toml", copy(there, "oci-layout:back:v1"));
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, "s3cr3t");
    let ran = host.run(&["run", "push.toml", "--format", "json", "-v"]);
    ran.exits(0);
    // Neither the client's secret nor a token is said or kept.
    let kept =
        String::from_utf8_lossy(&std::fs::read(host.path(".home/state/runs.sqlite")).unwrap())
            .into_owned();
    for form in ["s3cr3t", "eyJ"] {
        assert!(!ran.account().contains(form) && !kept.contains(form), "{form}");
    }
    host.run(&["run", "pull.toml"]).exits(0);
    let index: Value = serde_json::from_str(&host.read("back/index.json")).unwrap();
    assert_eq!(index["manifests"][0]["digest"], image.digest());
    let host = host.env("APP_SECRET", "wrong");
    let ran = host.run(&["run", "push.toml"]);
    ran.exits(4).stderr_says(&["AADSTS7000215", "give the value of the client secret"]);
}

#[test]
fn the_emulator_says_where_it_is_and_what_it_cannot_use() {
    let host = host();
    let emulator = Emulator::start(&host, &["--registry", "another1", "--vault", "another-vault"]);
    assert!(emulator.url().starts_with("http://127.0.0.1:"));
    let host = host.file("emulator/state.json", "{");
    drop(emulator);
    let ran = host.run(&["azure-emulator", "--state", "emulator", "--listen", "127.0.0.1:0"]);
    assert_ne!(ran.code, Some(0));
    ran.stderr_says(&["state.json"]);
    let ran = host.run(&["azure-emulator", "--state", "other", "--vault", "-"]);
    assert_ne!(ran.code, Some(0));
    let ran = host.run(&["azure-emulator", "--upstream", "docker.io"]);
    ran.exits(2).stderr_says(&["write it as HOST=URL"]);
}

const REGISTRY: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1\
                        /providers/Microsoft.ContainerRegistry/registries/myregistry";

/// The book's story: a service principal that may pull, its credentials in a vault, and a container
/// group that is deployed with them.
#[test]
fn credentials_go_into_a_vault_and_a_group_is_deployed_with_them() {
    let image = Image::multi_arch(&["linux/amd64"], 1000);
    let host = host();
    image.write_layout(&host.path("image"), "v1");
    let prepare = format!(
        "[[step]]\nid = \"image\"\nuses = \"import-image\"\n\
         with = {{ source = \"oci-layout:image:v1\", target = \"myregistry.azurecr.io/app:v1\" }}\n\n\
         [[step]]\nid = \"pull\"\nuses = \"store-secret\"\n[step.with]\nvault = \"mykeyvault\"\n\
         identity = \"prod\"\nservice-principal = {{ scope = \"{REGISTRY}\", role = \"AcrPull\" }}\n"
    );
    let deploy = r#"schema = 1

[pipeline]
name = "deploy"

[identity.prod]
kind = "azure"
tenant = "22222222-2222-2222-2222-222222222222"
client-id = "33333333-3333-3333-3333-333333333333"
client-secret = { secret = "app" }

[secrets]
app = { from = "env", name = "APP_SECRET" }
pull-usr = { from = "azure-key-vault", vault = "mykeyvault", name = "myregistry-pull-usr" }
pull-pwd = { from = "azure-key-vault", vault = "mykeyvault", name = "myregistry-pull-pwd" }

[registries."myregistry.azurecr.io"]
username = { secret = "pull-usr" }
password = { secret = "pull-pwd" }

[[step]]
id = "deploy"
uses = "deploy-aci"

[step.with]
identity = "prod"
subscription = "11111111-1111-1111-1111-111111111111"
resource-group = "rg1"
name = "aci-demo"
image = "myregistry.azurecr.io/app:v1"
dns-label = "aci-demo-1"
registries = [{ server = "myregistry.azurecr.io", username = { secret = "pull-usr" }, password = { secret = "pull-pwd" } }]
"#;
    let host = host.file("prepare.toml", pipeline(&prepare)).file("deploy.toml", deploy);
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, "s3cr3t");
    let ran = host.run(&["run", "prepare.toml", "-v"]);
    ran.exits(0);
    // Unchanged: nothing is made anew.
    host.run(&["run", "prepare.toml"]).exits(0).stderr_says(&["unchanged"]);
    let deployed = host.run(&["run", "deploy.toml", "--format", "json", "-v"]);
    deployed.exits(0);
    let outputs = deployed
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|event| event["event"] == "step-finished")
        .unwrap();
    let outputs = &outputs["outputs"];
    assert_eq!(outputs["changed"], true, "{outputs}");
    assert_eq!(outputs["fqdn"], "aci-demo-1.westeurope.azurecontainer.io");
    let again = host.run(&["run", "deploy.toml"]);
    again.exits(0).stderr_says(&["unchanged"]);
    // What the emulator keeps of the vault is nowhere else.
    let state: Value = serde_json::from_str(&host.read("emulator/state.json")).unwrap();
    let mut passwords = Vec::new();
    texts_at(&state, "value", &mut passwords);
    assert!(!passwords.is_empty());
    let record = std::fs::read(host.path(".home/state/runs.sqlite")).unwrap();
    let record = String::from_utf8_lossy(&record).into_owned();
    for password in passwords.iter().filter(|text| text.len() > 20 && !text.contains('-')) {
        for said in [&ran.account(), &deployed.account(), &record] {
            assert!(!said.contains(password.as_str()));
        }
    }
}

/// All texts under `key` in `value`.
fn texts_at(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let (true, Some(text)) = (name == key, value.as_str()) {
                    found.push(text.to_owned());
                }
                texts_at(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts_at(item, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Azure imports by itself: no byte of the image passes this machine's hands.
#[test]
fn azure_imports_an_image_from_a_registry_of_the_outside() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 1000);
    let hub = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &hub, Access::Anonymous, "library/hello-world:latest");
    let upstream = format!("docker.io=http://{}", hub.address());
    let import = |mode: &str, target: &str| {
        pipeline(&format!(
            "[[step]]\nid = \"import\"\nuses = \"import-image\"\n[step.with]\nmode = \"{mode}\"\n\
             identity = \"prod\"\nsource = \"docker.io/library/hello-world:latest\"\n\
             target = \"{target}\"\n"
        ))
    };
    let target = "myregistry.azurecr.io/hello-world:latest";
    let host = host()
        .file("server.toml", import("server", target))
        .file("auto.toml", import("auto", "myregistry.azurecr.io/again:latest"))
        .file("nowhere.toml", import("server", "nosuchregistry.azurecr.io/a:1"));
    let emulator = Emulator::start(&host, &["--upstream", &upstream]);
    let host = emulator.seen_by(host, "s3cr3t");
    let ran = host.run(&["run", "server.toml", "--format", "json", "-v"]);
    ran.exits(0);
    let finished = ran
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|event| event["event"] == "step-finished")
        .unwrap();
    assert!(finished["outputs"].to_string().contains(&image.digest()), "{}", finished["outputs"]);
    host.run(&["run", "auto.toml"]).exits(0);
    let ran = host.run(&["run", "nowhere.toml"]);
    assert_ne!(ran.code, Some(0));
    ran.stderr_says(&["nosuchregistry"]);
}
