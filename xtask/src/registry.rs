//! Registries on loopback: started, filled, looked into.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::children::Children;
use crate::oci::{
    CONFIG, DOCKER_MANIFEST, GZIP_LAYER, INDEX, MANIFEST, descriptor, digest, gzip, media_type,
};
use crate::{files, http, shell};

/// A registry says within milliseconds where it listens; a busy machine may need more.
const PATIENCE: Duration = Duration::from_secs(30);

/// A registry that runs, at `127.0.0.1:PORT`.
pub(crate) struct Registry {
    /// Host and port, as in an image's name.
    pub(crate) address: String,
}

impl Registry {
    /// Starts the registry that is part of windlass, on OCI layouts below `root`.
    pub(crate) fn embedded(
        children: &Children,
        windlass: &mut Command,
        root: &Path,
    ) -> Result<Self> {
        windlass
            .args(["registry", "serve", "--quiet", "--listen", "127.0.0.1:0", "--root"])
            .arg(root);
        let output = children.start(windlass.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let line = first_line(output.stdout, |line| line.contains("listening on"))
            .with_context(|| shell::show(windlass))?;
        Self::from_line(&line, "http://")
    }

    /// Starts Debian's docker-registry, at `program`, on files below `root`.
    pub(crate) fn docker(children: &Children, program: &Path, root: &Path) -> Result<Self> {
        let settings = root.with_extension("yml");
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\n\
             http: {{addr: '127.0.0.1:0'}}\n",
            root.display()
        );
        files::write(&settings, text.as_bytes())?;
        let mut command = Command::new(program);
        command.arg("serve").arg(&settings).stdin(Stdio::null()).stdout(Stdio::null());
        // It reads every REGISTRY_… variable as a setting of its own, REGISTRY_AUTH_FILE of podman
        // and skopeo too.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REGISTRY_") {
                command.env_remove(name);
            }
        }
        let output = children.start(command.stderr(Stdio::piped()))?;
        let line = first_line(output.stderr, |line| line.contains("listening on"))
            .with_context(|| shell::show(&command))?;
        Self::from_line(&line, "listening on ")
    }

    fn from_line(line: &str, before: &str) -> Result<Self> {
        let rest = line.split(before).nth(1).with_context(|| format!("no address in: {line}"))?;
        let address: String =
            rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        Ok(Self { address })
    }

    /// Pushes `blob` into `repository`.
    ///
    /// Source: OCI distribution-spec v1.1, "Pushing a blob monolithically".
    pub(crate) fn push_blob(&self, blob: &[u8], repository: &str) -> Result<()> {
        let start = format!("/v2/{repository}/blobs/uploads/");
        let answer = http::request(&self.address, "POST", &start, &[], b"")?;
        let location = answer.header("location").context("the registry names no upload")?;
        // The specification allows a path or a whole URL.
        let path = location
            .strip_prefix("http://")
            .map_or(location, |rest| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}digest={}", digest(blob));
        let kind = ["Content-Type: application/octet-stream".to_owned()];
        expect(&http::request(&self.address, "PUT", &path, &kind, blob)?, 201)
    }

    /// Pushes a manifest or index under a tag or its digest.
    ///
    /// Source: OCI distribution-spec v1.1, "Pushing Manifests".
    pub(crate) fn push_manifest(
        &self,
        manifest: &[u8],
        repository: &str,
        reference: &str,
    ) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let kind = [format!("Content-Type: {}", media_type(manifest))];
        expect(&http::request(&self.address, "PUT", &path, &kind, manifest)?, 201)
    }

    /// Pushes an image of one layer, which is the archive `root`.
    pub(crate) fn push_image(&self, root: &[u8], repository: &str, tag: &str) -> Result<()> {
        let layer = gzip(root);
        let architecture = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": { "Env": ["PATH=/bin"], "Cmd": ["/bin/sh"] },
            "history": [{ "created_by": "tar" }],
            "rootfs": { "type": "layers", "diff_ids": [digest(root)] },
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": [descriptor(GZIP_LAYER, &layer)],
        });
        self.push_blob(&layer, repository)?;
        self.push_blob(&config, repository)?;
        self.push_manifest(manifest.to_string().as_bytes(), repository, tag)
    }

    /// The configuration of the image that `reference` names.
    pub(crate) fn config(&self, repository: &str, reference: &str) -> Result<Value> {
        let manifest: Value = serde_json::from_slice(&self.manifest(repository, reference)?)?;
        let digest = manifest.pointer("/config/digest").and_then(Value::as_str);
        let path = format!("/v2/{repository}/blobs/{}", digest.context("no configuration")?);
        let answer = http::request(&self.address, "GET", &path, &[], b"")?;
        expect(&answer, 200)?;
        serde_json::from_slice(&answer.body).context("the configuration is not JSON")
    }

    /// The tags of `repository`.
    pub(crate) fn tags(&self, repository: &str) -> Result<Vec<String>> {
        let path = format!("/v2/{repository}/tags/list");
        let answer = http::request(&self.address, "GET", &path, &[], b"")?;
        expect(&answer, 200)?;
        let list: Value = serde_json::from_slice(&answer.body).context("tags are not JSON")?;
        let tags = list.get("tags").and_then(Value::as_array).context("no tags")?;
        Ok(tags.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The manifest that `reference` names.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Result<Vec<u8>> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let accept =
            [INDEX, MANIFEST, DOCKER_MANIFEST].map(|media_type| format!("Accept: {media_type}"));
        let answer = http::request(&self.address, "GET", &path, &accept, b"")?;
        expect(&answer, 200)?;
        Ok(answer.body)
    }
}

fn expect(answer: &http::Answer, status: u16) -> Result<()> {
    if answer.status == status {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer.body);
    bail!("expected {status}, the registry answered {}: {text}", answer.status)
}

/// The first line that `is_it` likes; the rest is read and thrown away, so that the child can go
/// on writing.
pub(crate) fn first_line(
    pipe: Option<impl std::io::Read + Send + 'static>,
    is_it: impl Fn(&str) -> bool + Send + 'static,
) -> Result<String> {
    let pipe = pipe.context("the output is not piped")?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if is_it(&line) {
                // The second time nobody listens, which is fine.
                send.send(line).ok();
            }
        }
    });
    receive.recv_timeout(PATIENCE).context("it ended, or did not say where it listens")
}
