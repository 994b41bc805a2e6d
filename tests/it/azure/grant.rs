//! The token of an identity goes along with requests of a step that is granted the identity, to the
//! hosts of its cloud, and the step never sees it.

use serde_json::json;
use support::TestHost;

use super::{Emulator, pipeline};
use crate::host;

const SUBSCRIPTIONS: &str = "https://management.azure.com/subscriptions?api-version=2022-12-01";

/// A guest that asks for `url`, with the lines `grant` under `[step.grant]`.
fn asks(host: TestHost, url: &str, more: &str, grant: &str) -> TestHost {
    let uses = TestHost::guest("fetch");
    host.file(
        "p.toml",
        pipeline(&format!(
            "[[step]]\nid = \"step\"\nuses = \"{uses}\"\nwith = {{ url = \"{url}\"{more} }}\n\
             [step.grant]\n{grant}\n"
        )),
    )
}

fn status(host: &TestHost) -> serde_json::Value {
    let ran = host.run(&["run", "p.toml", "--format", "json", "-v"]);
    ran.exits(0);
    assert!(!ran.account().contains("eyJ"), "a token is shown");
    ran.finished("step")["outputs"]["status"].clone()
}

#[test]
fn a_step_that_is_granted_an_identity_asks_as_it() {
    let host = host();
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, "s3cr3t");
    let http = "http = [{ url = \"https://management.azure.com\", private = true }]";
    let as_prod = ", identity = \"prod\"";
    let granted = format!("{http}\nidentity = [\"prod\"]");
    let host = asks(host, SUBSCRIPTIONS, as_prod, &granted);
    assert_eq!(status(&host), json!(200));
    // As nobody, since nothing is granted.
    let host = asks(host, SUBSCRIPTIONS, as_prod, http);
    assert_eq!(status(&host), json!(401));
    // A grant of the identity opens no host.
    let host = asks(host, SUBSCRIPTIONS, as_prod, "identity = [\"prod\"]");
    host.run(&["run", "p.toml"]).exits(3).stderr_says(&["`http`", "https://management.azure.com"]);
    // A vault has to be named: a pattern would send tokens to vaults of anybody.
    let vault = |host: &str| {
        let rule = format!("http = [{{ url = \"https://{host}\", private = true }}]");
        format!("{rule}\nidentity = [\"prod\"]")
    };
    let secrets = "https://mykeyvault.vault.azure.net/secrets?api-version=7.4";
    let host = asks(host, secrets, as_prod, &vault("mykeyvault.vault.azure.net"));
    assert_eq!(status(&host), json!(200));
    let host = asks(host, secrets, as_prod, &vault("*.vault.azure.net"));
    host.run(&["run", "p.toml"]).exits(3).stderr_says(&["only where `http` names the host"]);
}

#[test]
fn a_step_cannot_say_itself_as_whom_it_asks() {
    let host = host();
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, "s3cr3t");
    let grant = "http = [{ url = \"https://management.azure.com\", private = true }]\n\
                 identity = [\"prod\"]";
    let own = ", identity = \"prod\", headers = { authorization = \"Bearer mine\" }";
    let host = asks(host, SUBSCRIPTIONS, own, grant);
    let ran = host.run(&["run", "p.toml", "-v"]);
    assert_ne!(ran.code, Some(0), "{}", ran.account());
}

#[test]
fn an_identity_that_nobody_declared_is_an_error_of_the_file() {
    let host = asks(host(), SUBSCRIPTIONS, "", "identity = [\"nobody\"]");
    host.run(&["check", "p.toml"]).exits(2).stderr_says(&["nobody"]);
}
