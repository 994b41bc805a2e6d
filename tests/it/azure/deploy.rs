//! The story of a deployment: credentials in a vault, an image in a registry, a container group.

mod changes;
mod health;
mod refused;

use std::net::TcpListener;

use serde_json::{Value, json};
use support::{Image, Output, TestHost, write_busybox};

use super::{Emulator, pipeline};
use crate::host;

/// Credentials of the vault, which a deployment pulls with.
const SECRETS: &str = r#"
[secrets.pull-usr]
from = "azure-key-vault"
vault = "mykeyvault"
name = "myregistry-pull-usr"

[secrets.pull-pwd]
from = "azure-key-vault"
vault = "mykeyvault"
name = "myregistry-pull-pwd"
"#;

/// A step that deploys `aci-demo`, with more inputs.
fn deploy(inputs: &str) -> String {
    format!(
        "{SECRETS}\n[[step]]\nid = \"deploy\"\nuses = \"deploy-aci\"\n[step.with]\nidentity = \"prod\"\n\
         subscription = \"11111111-1111-1111-1111-111111111111\"\nresource-group = \"rg1\"\n\
         name = \"aci-demo\"\n{inputs}\n"
    )
}

/// What Azure pulls with.
const REGISTRIES: &str = "registries = [{ server = \"myregistry.azurecr.io\", \
                          username = { secret = \"pull-usr\" }, \
                          password = { secret = \"pull-pwd\" } }]\n";

/// What makes a group of one image.
fn group(more: &str) -> String {
    format!("image = \"myregistry.azurecr.io/app:v1\"\n{REGISTRIES}{more}")
}

/// Runs a pipeline of `steps`.
fn run(host: &TestHost, steps: &str) -> Output {
    host.write("p.toml", pipeline(steps));
    host.run(&["run", "p.toml", "--format", "json", "-v"])
}

/// The example `name`, run with `inputs`, as the application of the emulator.
fn run_example(host: &TestHost, name: &str, inputs: &[&str]) -> Output {
    let example = support::repository_root().join("pipelines/azure").join(name);
    host.write(name, std::fs::read(example).unwrap());
    let mut arguments = vec!["run", name, "--format", "json", "-v"];
    inputs.iter().for_each(|input| arguments.extend(["--input", input]));
    host.run(&arguments)
}

/// With what an identity without a word logs in with.
fn as_application(host: TestHost) -> TestHost {
    host.env("AZURE_TENANT_ID", "22222222-2222-2222-2222-222222222222")
        .env("AZURE_CLIENT_ID", "33333333-3333-3333-3333-333333333333")
        .env("AZURE_CLIENT_SECRET", "s3cr3t")
}

/// A world with the image `app:v1` and the credentials for it, where nothing runs.
fn prepared() -> (Emulator, TestHost) {
    let image = Image::multi_arch(&["linux/amd64"], 1000);
    let host = host();
    image.write_layout(&host.path("image"), "v1");
    let emulator = Emulator::start(&host, &[]);
    let host = as_application(emulator.seen_by(host, "s3cr3t"));
    let push = "[[step]]\nid = \"image\"\nuses = \"import-image\"\nwith = { source = \
                \"oci-layout:image:v1\", target = \"myregistry.azurecr.io/app:v1\" }\n";
    run(&host, push).exits(0);
    run_example(&host, "credentials.toml", &[]).exits(0);
    (emulator, host)
}

/// What the emulator remembers.
fn state(host: &TestHost) -> Value {
    serde_json::from_str(&host.read("emulator/state.json")).unwrap()
}

/// A port that nobody has at the moment, and that no connection gets by chance before the container
/// has it: below those that the kernel gives.
fn free_port() -> u16 {
    let own = u16::try_from(std::process::id() % 10_000).unwrap();
    let mut ports = (20_000 + own..30_000).chain(20_000..20_000 + own);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Builds an image of busybox into the registry, which serves `page`, by this program.
fn build_page(host: &TestHost, tag: &str, page: &str, port: u16) {
    let folder = format!("site-{tag}");
    write_busybox(&host.path(&folder));
    host.write(&format!("{folder}/www/index.html"), page);
    let dockerfile = format!(
        "FROM scratch\\nCOPY . /\\nENV PATH=/bin\\n\
         CMD [\\\"httpd\\\", \\\"-f\\\", \\\"-p\\\", \\\"{port}\\\", \\\"-h\\\", \\\"/www\\\"]\\n"
    );
    let step = format!(
        "[[step]]\nid = \"build\"\nuses = \"build-image\"\n[step.with]\ncontext = \"{folder}\"\n\
         dockerfile = \"{dockerfile}\"\ntags = [\"myregistry.azurecr.io/aci-helloworld:{tag}\"]\n"
    );
    run(host, &step).exits(0);
}

/// What a browser sees at `url`, through the emulator's proxy.
fn browse(emulator: &Emulator, url: &str) -> String {
    let place = url.trim_start_matches("http://").trim_end_matches('/');
    let head = format!("GET {url} HTTP/1.1\r\nHost: {place}\r\n");
    super::post(emulator.url().trim_start_matches("http://"), &head, "text/plain", "")
}

/// The book's story: vault, service principal, both secrets, an image in the registry, a container
/// group that pulls with those very credentials, and its name answers.
#[test]
fn the_story_ends_with_a_page_in_a_browser() {
    let port = free_port();
    let host = host();
    let emulator = Emulator::running(&host, &[]);
    let host = as_application(emulator.seen_by(host, "s3cr3t")).env("HTTP_PROXY", emulator.url());
    build_page(&host, "v1", "hello from a container\n", port);
    let ran = run_example(&host, "credentials.toml", &[]);
    ran.exits(0);
    let credentials = ran.finished("pull")["outputs"].clone();
    assert_eq!(credentials["changed"], true, "{credentials}");
    let input = format!("port={port}");
    let ran = run_example(&host, "deploy.toml", &[&input]);
    ran.exits(0);
    let outputs = ran.finished("deploy")["outputs"].clone();
    let fqdn = outputs["fqdn"].as_str().unwrap();
    assert!(fqdn.starts_with("aci-demo-") && fqdn.ends_with(".westeurope.azurecontainer.io"));
    assert_eq!((&outputs["changed"], &outputs["state"]), (&json!(true), &json!("Running")));
    let page = browse(&emulator, &format!("http://{fqdn}:{port}/"));
    assert!(page.contains("hello from a container"), "{page}");
    assert!(ran.account().contains(&format!("http://{fqdn}:{port}/ answers 200")));
    // Azure pulls with what the vault has, for the principal that was made.
    let state = state(&host);
    let id = outputs["id"].as_str().unwrap().to_lowercase();
    let given =
        &state["resources"][&id]["hidden"]["full"]["properties"]["imageRegistryCredentials"];
    let given = &given[0];
    assert_eq!(given["username"], credentials["app-id"]);
    assert!(state["vaults"]["mykeyvault"].to_string().contains(&given["password"].to_string()));
    // Unchanged: nothing is made anew, and the name stays.
    let again = run_example(&host, "deploy.toml", &[&input]);
    again.exits(0);
    let outputs = again.finished("deploy")["outputs"].clone();
    assert_eq!((&outputs["changed"], &outputs["fqdn"]), (&json!(false), &json!(fqdn)));
    let again = run_example(&host, "credentials.toml", &[]);
    assert_eq!(again.exits(0).finished("pull")["outputs"]["changed"], false);
    run(&host, &deploy("action = \"delete\"")).exits(0);
}
