//! What is changed, what is made anew, and what else is done with a group.

use serde_json::{Value, json};

use super::{deploy, group, prepared, run, state};

/// The emulated group, as Azure shows it.
fn shown(host: &support::TestHost) -> Value {
    let all = state(host);
    let resources = all["resources"].as_object().unwrap();
    let found = resources.iter().find(|(id, _)| id.ends_with("/containergroups/aci-demo"));
    found.map_or(Value::Null, |(_, resource)| resource["body"].clone())
}

#[test]
fn a_change_that_needs_a_new_group_is_made_only_if_that_is_said() {
    let (_emulator, host) = prepared();
    run(&host, &deploy(&group("dns-label = \"aci-demo-1\"\n"))).exits(0);
    let bigger =
        |more: &str| deploy(&group(&format!("dns-label = \"aci-demo-1\"\ncpu = 2\n{more}")));
    let ran = run(&host, &bigger(""));
    assert_ne!(ran.code, Some(0));
    let fault = &ran.finished("deploy")["fault"];
    assert_eq!(fault["code"], "conflict.azure", "{fault}");
    assert!(fault["help"].as_str().unwrap().contains("replace = \"if-needed\""), "{fault}");
    let cpu = "/properties/containers/0/properties/resources/requests/cpu";
    assert_eq!(shown(&host).pointer(cpu), Some(&json!(1.0)));
    let ran = run(&host, &bigger("replace = \"if-needed\"\n"));
    let outputs = ran.exits(0).finished("deploy")["outputs"].clone();
    assert_eq!((&outputs["changed"], &outputs["replaced"]), (&json!(true), &json!(true)));
    assert_eq!(shown(&host).pointer(cpu), Some(&json!(2.0)));
    // What can be changed as it is needs no new one, nor does what is as it should be.
    let ran = run(&host, &bigger("replace = \"if-needed\"\nenv = { MODE = \"test\" }\n"));
    let outputs = ran.exits(0).finished("deploy")["outputs"].clone();
    assert_eq!((&outputs["changed"], &outputs["replaced"]), (&json!(true), &json!(false)));
    let ran = run(&host, &bigger("replace = \"if-needed\"\nenv = { MODE = \"test\" }\n"));
    assert_eq!(ran.exits(0).finished("deploy")["outputs"]["changed"], false);
}

#[test]
fn a_group_is_stopped_started_restarted_looked_at_and_deleted() {
    let (_emulator, host) = prepared();
    let missing = run(&host, &deploy("action = \"stop\""));
    assert_ne!(missing.code, Some(0));
    assert_eq!(missing.finished("deploy")["fault"]["kind"], "not-found");
    run(&host, &deploy(&group(""))).exits(0);
    let act = |action: &str| {
        let ran = run(&host, &deploy(&format!("action = \"{action}\"")));
        ran.exits(0);
        ran.finished("deploy")
    };
    let state = |host| shown(host).pointer("/properties/instanceView/state").cloned();
    let logs = act("logs");
    assert_eq!(logs["outcome"], "succeeded", "{logs}");
    assert!(logs["outputs"]["logs"]["aci-demo"].as_str().unwrap().contains("emulated"), "{logs}");
    assert_eq!(act("stop")["outputs"]["changed"], true);
    assert_eq!(state(&host), Some(json!("Stopped")));
    act("start");
    assert_eq!(state(&host), Some(json!("Running")));
    act("restart");
    assert_eq!(state(&host), Some(json!("Running")));
    assert_eq!(act("delete")["outputs"]["changed"], true);
    assert_eq!(shown(&host), Value::Null);
    assert_eq!(act("delete")["outputs"]["changed"], false);
}

#[test]
fn a_template_is_written_without_a_word_to_azure_and_without_a_secret() {
    let (emulator, host) = prepared();
    // Nobody could be asked.
    drop(emulator);
    let inputs =
        group("location = \"westeurope\"\ndns-label = \"aci-demo-1\"\ntemplate = \"aci.json\"\n");
    let ran = run(&host, &deploy(&inputs));
    ran.exits(0);
    let template: Value = serde_json::from_str(&host.read("aci.json")).unwrap();
    let credential = &template["resources"][0]["properties"]["imageRegistryCredentials"][0];
    assert_eq!(credential["server"], "myregistry.azurecr.io");
    let password = credential["password"].as_str().unwrap();
    assert!(password.starts_with("[parameters("), "{password}");
    let parameters = template["parameters"].as_object().unwrap();
    assert!(parameters.values().any(|it| it["type"] == "securestring"), "{parameters:?}");
}
