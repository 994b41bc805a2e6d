//! Pipelines against the emulated Azure, through its proxy, by the hosts' own names.

mod deploy;
mod grant;
mod import;
mod secrecy;
mod secrets;
mod tasks;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use support::{Running, TestHost};

use crate::host;

/// The emulator, run by the binary that is tested.
pub(crate) struct Emulator {
    running: Option<Running>,
    proxy: String,
}

impl Emulator {
    /// Starts it in `emulator` of the world of `host`; its containers are only said to run.
    pub(crate) fn start(host: &TestHost, more: &[&str]) -> Self {
        Self::start_with(host, "none", more)
    }

    /// The same, where containers really run.
    pub(crate) fn running(host: &TestHost, more: &[&str]) -> Self {
        let runtime = support::oci_runtime().display().to_string();
        Self::start_with(host, &runtime, more)
    }

    fn start_with(host: &TestHost, runtime: &str, more: &[&str]) -> Self {
        let mut arguments =
            vec!["azure-emulator", "--state", "emulator", "--listen", "127.0.0.1:0"];
        arguments.extend(["--runtime", runtime]);
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

    /// All that it has printed.
    pub(crate) fn said(&self) -> String {
        self.running.iter().map(|running| running.stdout() + &running.stderr()).collect()
    }

    /// Plans a fault, as docs/azure-emulator.md lists them.
    pub(crate) fn plan(&self, fault: &Value) {
        let answer = self.ask("POST", &fault.to_string());
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }

    /// How many faults wait.
    pub(crate) fn planned(&self) -> usize {
        let answer = self.ask("GET", "");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        body["faults"].as_array().unwrap().len()
    }

    fn ask(&self, method: &str, body: &str) -> String {
        let address = self.proxy.trim_start_matches("http://");
        let head = format!("{method} /_emulator/faults HTTP/1.1\r\nHost: {address}\r\n");
        post(address, &head, "application/json", body)
    }
}

/// Sends a request whose first lines are `head`; what is answered, whole.
fn post(address: &str, head: &str, kind: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    let length = body.len();
    let rest = format!("Connection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n");
    write!(connection, "{head}{rest}\r\n{body}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
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
