//! An emulated Azure, what is in it before anything is measured, and who speaks to it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::json;

use crate::bench::place::{Place, Program};
use crate::children::Children;
use crate::oci::{CONFIG, GZIP_LAYER, MANIFEST, descriptor, digest, gzip, tar};
use crate::registry::{Registry, first_line};
use crate::{binary, files, shell};

/// What the emulator has at first.
const REGISTRY_ID: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1\
                           /providers/Microsoft.ContainerRegistry/registries/myregistry";
const LOGIN: &str = "az login --service-principal -u 33333333-3333-3333-3333-333333333333 \
                     -p \"$APP_SECRET\" --tenant 22222222-2222-2222-2222-222222222222";
/// Where tokens come from.
const LOGIN_HOST: &str = "login.microsoftonline.com";

/// The emulator, and a registry of the outside.
pub(super) struct Cloud {
    folder: PathBuf,
    proxy: String,
    az: PathBuf,
    windlass: PathBuf,
    password: String,
    _upstream: Place,
}

/// What arrived between two moments.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    /// Requests, those below among them.
    pub(super) requests: u64,
    /// Requests of the login service.
    pub(super) logins: u64,
    /// Heads and bodies.
    pub(super) bytes: u64,
}

impl Cloud {
    /// Starts it, logs az in, and puts in what the cases need.
    pub(super) fn start(windlass: &Path, az: &Path, children: &Children) -> Result<Self> {
        let folder = children.folder();
        let outside = Program::Own(windlass.to_owned());
        let upstream = Place::start(outside, &folder.join("upstream"), children)?;
        push(&upstream.registry)?;
        let mut command = binary::at_home(windlass, &folder.join("emulator-home"));
        command.args(["azure-emulator", "--quiet", "--listen", "127.0.0.1:0"]);
        command.args(["--runtime", "none", "--state"]).arg(folder.join("emulator"));
        command.arg(format!("--access-log={}", log(&folder).display()));
        command.arg(format!("--upstream=docker.io=http://{}", upstream.registry.address));
        files::write(&log(&folder), b"")?;
        let output = children.start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let line = first_line(output.stdout, |line| line.contains("listening on"))
            .with_context(|| shell::show(&command))?;
        let proxy = line.split_whitespace().last().context("no address")?.to_owned();
        files::write(&folder.join("context/Dockerfile"), b"FROM scratch\nCOPY app /app\n")?;
        files::write(&folder.join("context/app"), b"hello\n")?;
        let mut cloud = Self {
            folder,
            proxy,
            az: az.to_owned(),
            windlass: windlass.to_owned(),
            password: String::new(),
            _upstream: upstream,
        };
        for line in [
            LOGIN,
            "az acr import -n myregistry --source docker.io/library/hello-world:latest \
             --image hello:v1",
            "az acr update -n myregistry --admin-enabled true",
        ] {
            shell::capture(&mut cloud.az(line))?;
        }
        let show = "az acr credential show -n myregistry --query 'passwords[0].value' -o tsv";
        shell::capture(&mut cloud.az(show))?.trim().clone_into(&mut cloud.password);
        Ok(cloud)
    }

    /// `line` in a shell that knows az, which trusts the emulator and speaks to nobody else.
    pub(super) fn az(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("az() {{ \"$AZ\" \"$@\"; }}; {line}")]);
        command.current_dir(&self.folder).env("AZ", &self.az);
        let ca = self.folder.join("emulator/ca.pem");
        for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            command.env(name, &ca);
        }
        for (name, value) in [
            ("AZURE_CORE_COLLECT_TELEMETRY", "no"),
            ("AZURE_CORE_NO_COLOR", "true"),
            ("AZURE_CORE_SURVEY_MESSAGE", "no"),
            ("REGISTRY_ID", REGISTRY_ID),
        ] {
            command.env(name, value);
        }
        command.env("AZURE_CONFIG_DIR", self.folder.join("az"));
        self.both(&mut command);
        command
    }

    /// A run of the pipeline `text`.
    pub(super) fn windlass(&self, text: &str) -> Result<Command> {
        let file = self.folder.join("p.toml");
        files::write(&file, text.as_bytes())?;
        let mut command = binary::at_home(&self.windlass, &self.folder.join("home"));
        command.current_dir(&self.folder).args(["run", "p.toml", "--quiet"]);
        self.both(&mut command);
        Ok(command)
    }

    fn both(&self, command: &mut Command) {
        command.env("SSL_CERT_FILE", self.folder.join("emulator/ca.pem"));
        command.env("HTTPS_PROXY", &self.proxy).env("NO_PROXY", "");
        command.env("APP_SECRET", "s3cr3t").env("VALUE", "v4lue");
        command.env("REGISTRY_PASSWORD", &self.password);
    }

    /// Now. Every line is written before the answer that it tells of.
    pub(super) fn mark(&self) -> Result<usize> {
        Ok(files::read(&log(&self.folder))?.len())
    }

    /// What arrived since `mark`.
    pub(super) fn since(&self, mark: usize) -> Result<Asked> {
        let text = files::read_text(&log(&self.folder))?;
        Asked::read(text.get(mark..).unwrap_or_default())
    }
}

impl Asked {
    /// Of lines as `PUT mykeyvault.vault.azure.net/secrets/token 200 612 bytes`. What the emulator's
    /// own builder pushes is not of the client.
    fn read(log: &str) -> Result<Self> {
        let mut asked = Self::default();
        for line in log.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, place, _, bytes, "bytes"] = words.as_slice() else {
                anyhow::bail!("not a line of the access log: {line}");
            };
            let (host, path) = place.split_once('/').context("a request has no path")?;
            let is_data = path.starts_with("v2/") || path.starts_with("oauth2/");
            if host.ends_with(".azurecr.io") && is_data {
                continue;
            }
            asked.requests += 1;
            asked.logins += u64::from(host == LOGIN_HOST);
            asked.bytes += bytes.parse::<u64>().context("no number of bytes")?;
        }
        Ok(asked)
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("requests.log")
}

/// An image of nothing.
fn push(registry: &Registry) -> Result<()> {
    let repository = "library/hello-world";
    let archive = tar("hello", b"hello\n");
    let layer = gzip(&archive);
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [digest(&archive)] },
    });
    let config = config.to_string().into_bytes();
    registry.push_blob(&layer, repository)?;
    registry.push_blob(&config, repository)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config),
        "layers": [descriptor(GZIP_LAYER, &layer)],
    });
    registry.push_manifest(manifest.to_string().as_bytes(), repository, "latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_apart_from_what_the_emulator_does_itself() {
        let log = "POST login.microsoftonline.com/t/oauth2/v2.0/token 200 500 bytes\n\
                   HEAD myregistry.azurecr.io/v2/a/blobs/sha256:0 404 90 bytes\n\
                   GET myregistry.azurecr.io/acr/v1/a/_manifests 200 100 bytes\n\
                   PUT mykeyvault.vault.azure.net/secrets/a 200 612 bytes\n";
        let asked = Asked::read(log).unwrap();
        assert_eq!((asked.requests, asked.logins, asked.bytes), (3, 1, 1212));
        assert!(Asked::read("PUT x 200\n").is_err());
    }
}
