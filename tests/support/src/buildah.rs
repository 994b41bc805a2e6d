//! Buildah: somebody else's builder, for the same Dockerfiles.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::process::Running;
use crate::tool;

/// Whom to believe: everybody. The one that Debian ships is looked for in /etc alone.
const POLICY: &str = r#"{ "default": [{ "type": "insecureAcceptAnything" }] }"#;

/// Buildah with a store of its own, which keeps bases between builds.
#[derive(Debug)]
pub struct Buildah {
    folder: TempDir,
}

impl Buildah {
    /// With an empty store.
    ///
    /// # Panics
    /// No temporary folder can be made.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("policy.json"), POLICY).expect("the folder is ours");
        Self { folder }
    }

    /// Builds the Dockerfile of the folder `context` and writes the image to `target`, such as
    /// `oci:FOLDER:TAG`.
    ///
    /// # Errors
    /// What buildah printed, if it fails.
    ///
    /// # Panics
    /// It cannot be started (the message says what to type), or does not end.
    pub fn build(&self, context: &Path, target: &str) -> Result<(), String> {
        self.build_as("oci", context, target)
    }

    /// The configuration of what it builds of the folder `context` in docker's format, which alone
    /// has health checks for it.
    ///
    /// # Errors
    /// What buildah printed, if it fails.
    ///
    /// # Panics
    /// As [`Self::build`].
    pub fn docker_config(&self, context: &Path) -> Result<serde_json::Value, String> {
        let folder = TempDir::new().expect("a temporary folder can be made");
        self.build_as("docker", context, &format!("dir:{}", folder.path().display()))?;
        let json = |name: &str| -> serde_json::Value {
            let bytes = std::fs::read(folder.path().join(name)).expect("buildah has written it");
            serde_json::from_slice(&bytes).expect("what describes an image is JSON")
        };
        let manifest = json("manifest.json");
        let digest = manifest["config"]["digest"].as_str().expect("an image has a configuration");
        Ok(json(digest.trim_start_matches("sha256:")))
    }

    fn build_as(&self, format: &str, context: &Path, target: &str) -> Result<(), String> {
        let path = |name: &str| self.folder.path().join(name);
        let mut command: Command = tool::command("buildah");
        for (flag, name) in [("--root", "root"), ("--runroot", "run")] {
            command.arg(flag).arg(path(name));
        }
        // The plainest driver works on any file system, and inside of containers.
        command.args(["--storage-driver", "vfs", "bud", "--isolation", "chroot"]);
        command.args([
            "--disable-compression",
            "--tls-verify=false",
            "--network",
            "host",
            "--format",
            format,
            "--quiet",
        ]);
        command.arg("--signature-policy").arg(path("policy.json"));
        command.args(["--tag", target]).arg(context);
        let (status, stdout, stderr) = Running::start(command, b"").finish();
        match status.success() {
            true => Ok(()),
            false => Err(format!("buildah: {status}\n{stdout}\n{stderr}")),
        }
    }
}

impl Default for Buildah {
    fn default() -> Self {
        Self::new()
    }
}
