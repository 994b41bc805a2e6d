//! What Azure refuses, and what is found before Azure is asked.

use serde_json::json;

use super::{deploy, group, pipeline, prepared, run, state};

#[test]
fn a_label_that_is_taken_and_an_image_that_azure_cannot_pull_are_explained() {
    let (emulator, host) = prepared();
    emulator.plan(&json!({ "fault": { "kind": "label-taken" }, "on": "aci-demo-1" }));
    let ran = run(&host, &deploy(&group("dns-label = \"aci-demo-1\"\n")));
    assert_ne!(ran.code, Some(0));
    let fault = ran.finished("deploy")["fault"].clone();
    let help = fault["help"].as_str().unwrap();
    assert!(fault["message"].as_str().unwrap().contains("DnsNameLabelNotAvailable"), "{fault}");
    assert!(help.contains("dns-random") && help.contains("dns-label"), "{fault}");
    emulator.plan(&json!({ "fault": { "kind": "inaccessible-image" }, "on": "app" }));
    let ran = run(&host, &deploy(&group("")));
    assert_ne!(ran.code, Some(0));
    let fault = ran.finished("deploy")["fault"].clone();
    assert!(fault["message"].as_str().unwrap().contains("InaccessibleImage"), "{fault}");
    assert!(fault["help"].as_str().unwrap().contains("registries"), "{fault}");
    // Neither is there for long.
    run(&host, &deploy(&group("dns-label = \"aci-demo-1\"\n"))).exits(0);
}

/// The credential that Azure would use is tried first.
#[test]
fn a_wrong_credential_is_found_before_azure_is_asked() {
    let (_emulator, host) = prepared();
    let host = host.env("PULL_PASSWORD", "not-the-p4ssword");
    let text = pipeline(&deploy(&group("")));
    let own = "[registries.\"myregistry.azurecr.io\"]\nidentity = \"prod\"\n";
    assert!(text.contains(own));
    let same = "[registries.\"myregistry.azurecr.io\"]\nusername = { secret = \"pull-usr\" }\n\
                password = { secret = \"pull-pwd\" }\n";
    let vault = "[secrets.pull-pwd]\nfrom = \"azure-key-vault\"\nvault = \"mykeyvault\"\n\
                 name = \"myregistry-pull-pwd\"\n";
    assert!(text.contains(vault));
    let wrong = "[secrets.pull-pwd]\nfrom = \"env\"\nname = \"PULL_PASSWORD\"\n";
    host.write("wrong.toml", text.replace(own, same).replace(vault, wrong));
    let ran = host.run(&["run", "wrong.toml", "--format", "json", "-v"]);
    ran.exits(4);
    let fault = ran.finished("deploy")["fault"].clone();
    assert_eq!(fault["kind"], "unauthorized", "{fault}");
    let puts = |line: &serde_json::Value| line["line"]["action"] == "PUT";
    assert!(!ran.events("ledger").iter().any(puts), "{}", ran.account());
    assert!(!state(&host).to_string().contains("containerGroups/aci-demo"));
    // With the right one, in the same words.
    host.write("right.toml", text.replace(own, same));
    host.run(&["run", "right.toml"]).exits(0);
}
