//! Pipelines against the emulated Azure, through its proxy, by the hosts' own names.

mod deploy;
mod import;
mod secrecy;
mod secrets;

use support::{Running, Signal, TestHost};

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

    /// The world as it sees Azure, where `secret` is what the application logs in with. It ends with a
    /// search for every secret that was used in it ([`secrecy::sweep`]).
    pub(crate) fn seen_by(&self, host: TestHost, secret: &str) -> TestHost {
        let ca = host.path("emulator/ca.pem");
        let host = host.witnessed(secrecy::sweep);
        host.env("HTTPS_PROXY", &self.proxy).env("SSL_CERT_FILE", ca).env("APP_SECRET", secret)
    }

    /// Where its own address is, for faults.
    pub(crate) fn url(&self) -> &str {
        &self.proxy
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
