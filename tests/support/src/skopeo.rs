//! Skopeo: somebody else's eyes on what we wrote.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::docker_registry::{Access, DockerRegistry, PASSWORD, USERNAME};
use crate::image::digest_of;
use crate::process::Running;
use crate::tool;

/// Skopeo, with what it needs to reach the registries of the tests.
#[derive(Clone, Debug, Default)]
pub struct Skopeo {
    credentials: bool,
    ca_folder: Option<std::path::PathBuf>,
}

impl Skopeo {
    /// For registries over plain HTTP, without credentials.
    pub fn new() -> Self {
        Self::default()
    }

    /// For `registry`.
    pub fn of(registry: &DockerRegistry, access: Access) -> Self {
        let ca_folder = (access == Access::Tls)
            .then(|| registry.ca().parent().expect("a file has a folder").to_owned());
        let credentials = matches!(access, Access::Basic | Access::Token);
        Self { credentials, ca_folder }
    }

    /// For a registry over TLS whose authority's certificate lies in `folder`.
    pub fn trusting(folder: &Path) -> Self {
        Self { ca_folder: Some(folder.to_owned()), ..Self::default() }
    }

    /// As [`USERNAME`] with [`PASSWORD`].
    #[must_use]
    pub fn logged_in(self) -> Self {
        Self { credentials: true, ..self }
    }

    /// The bytes of the manifest or index at `reference`, such as `docker://127.0.0.1:5000/a:1`.
    ///
    /// # Panics
    /// Skopeo fails; the message holds what it printed.
    pub fn inspect_raw(&self, reference: &str) -> String {
        let mut command = self.command("inspect", &[""]);
        command.args(["--raw", reference]);
        succeed(command)
    }

    /// The digest of those bytes.
    pub fn digest(&self, reference: &str) -> String {
        digest_of(self.inspect_raw(reference).as_bytes())
    }

    /// The same as JSON.
    pub fn manifest(&self, reference: &str) -> Value {
        serde_json::from_str(&self.inspect_raw(reference)).expect("a manifest is JSON")
    }

    /// The configuration of the image at `reference`.
    pub fn config(&self, reference: &str) -> Value {
        let mut command = self.command("inspect", &[""]);
        command.args(["--config", reference]);
        serde_json::from_str(&succeed(command)).expect("a configuration is JSON")
    }

    /// Copies an image with all its platforms and no byte changed.
    pub fn copy_all(&self, from: &str, to: &str) {
        let mut command = self.command("copy", &["src-", "dest-"]);
        command.args(["--quiet", "--all", "--preserve-digests", from, to]);
        succeed(command);
    }

    /// Copies one image, in the shape that `to` needs; its digest may change.
    pub fn copy_one(&self, from: &str, to: &str) {
        let mut command = self.command("copy", &["src-", "dest-"]);
        command.args(["--quiet", from, to]);
        succeed(command);
    }

    /// Copies an image with all its platforms into another format: `v2s2`, `oci`.
    pub fn convert(&self, from: &str, to: &str, format: &str) {
        let mut command = self.command("copy", &["src-", "dest-"]);
        command.args(["--quiet", "--all", "--format", format, from, to]);
        succeed(command);
    }

    /// Copies one image into a folder (`dir:PATH`), its layers as plain archives.
    pub(crate) fn copy_decompressed(&self, from: &str, to: &str) {
        let mut command = self.command("copy", &["src-", "dest-"]);
        command.args(["--quiet", "--dest-decompress", from, to]);
        succeed(command);
    }

    /// Fetches every manifest, config and layer of the image into `folder`; skopeo checks digests.
    pub fn pull_whole(&self, from: &str, folder: &Path) {
        self.copy_all(from, &format!("dir:{}", folder.display()));
    }

    /// The tags of `repository`, such as `docker://127.0.0.1:5000/a`; empty if there is none.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let mut command = self.command("list-tags", &[""]);
        command.arg(repository);
        let (status, stdout, stderr) = Running::start(command, b"").finish();
        if !status.success() {
            // How a registry says that there is no such repository; skopeo passes on its words or
            // its status.
            let is_none = ["name unknown", "404"].iter().any(|sign| stderr.contains(sign));
            assert!(is_none, "skopeo list-tags {repository}\n{stderr}");
            return Vec::new();
        }
        let listed: Value = serde_json::from_str(&stdout).expect("skopeo prints JSON");
        let tags = listed.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
        tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect()
    }

    fn command(&self, verb: &str, sides: &[&str]) -> Command {
        let mut command = tool::command("skopeo");
        command.args(["--insecure-policy", verb]);
        for side in sides {
            match &self.ca_folder {
                Some(folder) => command.arg(format!("--{side}cert-dir={}", folder.display())),
                None => command.arg(format!("--{side}tls-verify=false")),
            };
            if self.credentials {
                command.arg(format!("--{side}creds={USERNAME}:{PASSWORD}"));
            } else {
                command.arg(format!("--{side}no-creds"));
            }
        }
        command
    }
}

fn succeed(command: Command) -> String {
    let shown = format!("{command:?}");
    let (status, stdout, stderr) = Running::start(command, b"").finish();
    assert!(status.success(), "{shown}: {status}\n{stdout}\n{stderr}");
    stdout
}
