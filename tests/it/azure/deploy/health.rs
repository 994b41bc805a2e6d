//! Groups that really run: a health gate that fails, and what is done about it.

use serde_json::json;
use support::poll;

use super::{Emulator, SECRETS, as_application, browse, build_page, deploy, free_port};
use super::{REGISTRIES, run, run_example};
use crate::host;

#[test]
fn a_group_that_is_not_healthy_says_why_and_the_former_one_is_put_again() {
    let port = free_port();
    let host = host();
    let emulator = Emulator::running(&host, &[]);
    let host = as_application(emulator.seen_by(host, "s3cr3t")).env("HTTP_PROXY", emulator.url());
    build_page(&host, "v1", "the good one\n", port);
    run_example(&host, "credentials.toml", &[]).exits(0);
    let group = |more: &str| {
        deploy(&format!(
            "image = \"myregistry.azurecr.io/aci-helloworld:v1\"\n{REGISTRIES}ports = [{port}]\n\
             dns-label = \"aci-health\"\nrestart = \"never\"\nwithin = \"1m\"\n\
             health = {{ path = \"/\", port = {port} }}\non-failure = \"restore\"\n{more}"
        ))
    };
    assert!(group("").contains(SECRETS));
    run(&host, &group("")).exits(0);
    let url = format!("http://aci-health.westeurope.azurecontainer.io:{port}/");
    assert!(browse(&emulator, &url).contains("the good one"));
    let broken = "command = [\"/bin/sh\", \"-c\", \"echo no database; exit 3\"]\n";
    let ran = run(&host, &group(broken));
    assert_ne!(ran.code, Some(0), "{}", ran.account());
    assert_eq!(ran.finished("deploy")["fault"]["code"], "azure.unhealthy", "{}", ran.account());
    let account = ran.account();
    for said in ["aci-demo | no database", "Started container", "the former group is restored"] {
        assert!(account.contains(said), "{said} is not said\n{account}");
    }
    // The former one answers again, with its secrets.
    assert!(browse(&emulator, &url).contains("the good one"), "{account}");
    let again = run(&host, &group(""));
    assert_eq!(again.exits(0).finished("deploy")["outputs"]["changed"], json!(false));
    // Its output, and its end.
    let logs = run(&host, &deploy("action = \"logs\""));
    assert!(logs.exits(0).finished("deploy")["outputs"]["logs"]["aci-demo"].is_string());
    run(&host, &deploy("action = \"stop\"")).exits(0);
    assert!(!browse(&emulator, &url).contains("the good one"));
    run(&host, &deploy("action = \"start\"")).exits(0);
    poll("the page", || browse(&emulator, &url).contains("the good one").then_some(()));
    // What the containers run with is stopped, too: nothing of this test goes on running.
    run(&host, &deploy("action = \"delete\"")).exits(0);
    assert!(!browse(&emulator, &url).contains("the good one"));
}
