//! Azure builds: the context is sent to a registry's ACR Tasks, and the run is followed to its end.

use std::time::Duration;

use acr::{BuildRequest, Platform, Registries, Registry, Run, Scope, TASKS, Watcher};
use arm::{Arm, Http};
use windlass_plugin::{Error, Outcome, Result};

use crate::inputs::Inputs;
use crate::outputs::{Built, Outputs, Target};

mod limits;

pub use limits::refuse_azure;
use limits::refuse_local;

/// What a Dockerfile is called in the context that only the pipeline holds.
pub const GIVEN: &str = "windlass.Dockerfile";

/// The version of blobs that is spoken.
const BLOBS: &str = "2021-12-02";

/// How often a context is sent: the store of Azure is busy at times.
const MOST_SENDS: u32 = 4;

/// The pause before a context is sent again; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(2);

/// What the logic needs of the host.
pub trait Cloud {
    /// How Azure is asked.
    type Http: Http;

    /// How Azure is asked.
    fn http(&self) -> &Self::Http;

    /// The handle of a secret.
    ///
    /// # Errors
    /// Those of the host.
    fn secret(&self, name: &str) -> Result<<Self::Http as Http>::Secret>;

    /// Whether the Dockerfile is in the context, as far as this machine has it.
    ///
    /// # Errors
    /// Those of the host.
    fn has_file(&self) -> Result<bool>;

    /// Packs the context and sends it to `url`.
    ///
    /// # Errors
    /// Those of the host; a status is none.
    fn upload(&self, url: &str, headers: &[(&str, &str)]) -> Result<Sent>;

    /// The commit of the context, if it is a repository.
    fn revision(&self) -> Option<String>;

    /// Tells a line of the run's log.
    fn line(&self, text: &str);
}

/// What came of sending a context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// The status of the answer.
    pub status: u16,
    /// How the answer begins.
    pub text: String,
    /// The bytes that were sent.
    pub size: u64,
}

/// Whether Azure fetches the context by itself.
#[must_use]
pub fn is_remote(context: &str) -> bool {
    ["https://", "http://", "oci://", "git://", "git@"].iter().any(|word| context.starts_with(word))
}

/// Builds in Azure, and waits `limit` at most.
///
/// # Errors
/// `invalid.inputs` for what ACR Tasks do not do; Azure's errors; `azure.run-failed` with the log told
/// before it.
pub fn build<C: Cloud>(
    inputs: &Inputs,
    is_dry_run: bool,
    limit: Duration,
    cloud: &C,
) -> Result<Outcome<Outputs>> {
    refuse_local(inputs)?;
    let platform = platform(inputs)?;
    let timeout = acr::run_timeout(inputs.run_timeout.as_deref())?;
    let http = cloud.http();
    let begun = http.now();
    if !cloud.has_file()? {
        let message = format!("there is no `{}` in the context `{}`", inputs.file, inputs.context);
        return Err(Error::new("not-found.build", message)
            .hint("name it with `file`, or give its text as `dockerfile`"));
    }
    let arm = Arm::new(http, inputs.endpoint.as_deref())?;
    let registries = Registries::read(&arm, &scope(inputs))?;
    let registry = registries.expect(&registry_word(inputs)?)?;
    let images = image_names(inputs, registry)?;
    let mut outputs = Outputs { revision: cloud.revision(), ..Outputs::default() };
    if is_dry_run {
        let named = if images.is_empty() { "nothing".to_owned() } else { images.join(", ") };
        let summary = format!("`{}` would build and push {named}", registry.login_server);
        return Ok(Outcome::changed(outputs).summary(summary));
    }
    if images.is_empty() {
        http.say("`tags` is empty: nothing is pushed after the build");
    }
    let source = match is_remote(&inputs.context) {
        true => inputs.context.clone(),
        false => send(&arm, registry, cloud)?,
    };
    let request = BuildRequest {
        images,
        source,
        file: inputs.dockerfile.as_ref().map_or_else(|| inputs.file.clone(), |_| GIVEN.to_owned()),
        platform: platform.0,
        arguments: acr::arguments(&inputs.args, &inputs.secret_args, |name| cloud.secret(name))?,
        target: inputs.target.clone(),
        no_cache: inputs.no_cache,
        timeout,
        agent_pool: inputs.agent_pool.clone(),
        source_auth: inputs.source_acr_auth_id.clone(),
    };
    let run = acr::schedule(&arm, registry, &request.body())?;
    http.say(&format!("run `{}` of {}", run.id, registry.login_server));
    let left = limit.saturating_sub(http.now().saturating_sub(begun));
    let watcher = Watcher { limit: left, line: &|text| cloud.line(text) };
    let run = acr::follow(&arm, http, registry, &run.id, &watcher)?.success()?;
    fill(&mut outputs, &run, &platform.1);
    let took = http.now().saturating_sub(begun).as_millis();
    outputs.duration_ms = u64::try_from(took).unwrap_or(u64::MAX);
    let summary = match outputs.targets.is_empty() {
        true => format!("run {} pushed nothing", run.id),
        false => format!("run {}: {}", run.id, outputs.digest),
    };
    Ok(Outcome::changed(outputs).summary(summary))
}

fn scope(inputs: &Inputs) -> Scope {
    Scope { subscription: inputs.subscription.clone(), group: inputs.resource_group.clone() }
}

/// The registry by name or login server.
fn registry_word(inputs: &Inputs) -> Result<String> {
    let named = inputs.registry.clone();
    let first = || inputs.tags.iter().find_map(|tag| host_of(tag));
    named.or_else(|| first().map(str::to_owned)).ok_or_else(|| {
        Error::invalid("nothing says in which registry Azure shall build")
            .hint("say `registry = \"NAME\"`, or write its login server in front of `tags`")
    })
}

/// The registry that a tag names.
fn host_of(tag: &str) -> Option<&str> {
    let (host, _) = tag.split_once('/')?;
    let is_host = host.contains(['.', ':']) && !host.starts_with("{{");
    is_host.then_some(host)
}

/// What the image is called in the registry: `tags` without its login server. What is in braces is
/// Azure's to fill in.
fn image_names(inputs: &Inputs, registry: &Registry) -> Result<Vec<String>> {
    let name = |tag: &String| match host_of(tag) {
        None => Ok(tag.clone()),
        Some(host) if host.eq_ignore_ascii_case(&registry.login_server) => {
            Ok(tag.split_at_checked(host.len() + 1).map_or(tag.as_str(), |(_, it)| it).to_owned())
        }
        Some(_) => Err(Error::invalid(format!(
            "ACR Tasks push to their own registry, `{}`, and not to `{tag}`",
            registry.login_server
        ))
        .hint("copy it afterwards with `import-image`")),
    };
    inputs.tags.iter().map(name).collect()
}

/// Sends the context; where Azure finds it then.
fn send<C: Cloud>(arm: &Arm<'_, C::Http>, registry: &Registry, cloud: &C) -> Result<String> {
    let place = format!("{}/listBuildSourceUploadUrl", registry.id);
    let answer = arm.post(place, TASKS, None).map_err(|failure| acr::explain(failure, registry))?;
    let answer = answer.value;
    let text = |key: &str| answer.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    let (Some(url), Some(path)) = (text("uploadUrl"), text("relativePath")) else {
        return Err(Error::new("azure.odd-answer", "Azure did not say where the context goes to")
            .hint("check `endpoint`; another server may have answered"));
    };
    let headers = [
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-version", BLOBS),
        ("content-type", "application/octet-stream"),
    ];
    let http = cloud.http();
    let mut sends = 0;
    loop {
        sends += 1;
        let sent = cloud.upload(&url, &headers);
        let is_passing = match &sent {
            Ok(sent) if (200..300).contains(&sent.status) => {
                http.say(&format!("sent the context, {} bytes", sent.size));
                return Ok(path);
            }
            Ok(sent) => matches!(sent.status, 408 | 429 | 500..=599),
            Err(error) => error.is("transient"),
        };
        if !is_passing || sends == MOST_SENDS {
            return Err(match sent {
                Ok(sent) => refused(&sent),
                Err(error) => error.during("send the context"),
            });
        }
        http.sleep(PAUSE * 2_u32.saturating_pow(sends - 1));
    }
}

/// Why the context was not taken. The place itself is told to nobody: who has it may write there.
fn refused(sent: &Sent) -> Error {
    let code = sent.text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let code = code.map(|(code, _)| format!(" {code}")).unwrap_or_default();
    let message =
        format!("Azure's store did not take the context: it answered {}{code}", sent.status);
    let (ours, hint) = match sent.status {
        413 => (
            "invalid.azure",
            "leave more out with `.dockerignore`; `windlass build context` lists what is sent",
        ),
        401 | 403 => (
            "denied.azure",
            "a firewall or a policy of the registry's storage may refuse this machine; a context in a git repository needs no sending",
        ),
        408 | 429 | 500..=599 => ("transient.azure", "run it again in a minute"),
        _ => ("azure.refused", "a context in a git repository needs no sending"),
    };
    let error = Error::new(ours, message).hint(hint);
    if ours == "transient.azure" { error.retryable() } else { error }
}

/// The platform, as Azure and as we write it.
fn platform(inputs: &Inputs) -> Result<(Platform, String)> {
    match inputs.platforms.as_slice() {
        [] => Ok((Platform::default(), "linux/amd64".to_owned())),
        [one] if one == "system" => {
            Err(Error::invalid("`system` is this machine, and Azure builds")
                .hint("name the platform, such as `platforms = \"linux/amd64\"`"))
        }
        [one] => Ok((Platform::parse(one)?, one.to_ascii_lowercase())),
        [_, ..] => Err(Error::invalid("ACR Tasks build for one platform at a time")
            .hint("use a step for each, or `builder = \"local\"`, which makes an index")),
    }
}

fn fill(outputs: &mut Outputs, run: &Run, platform: &str) {
    outputs.run_id = Some(run.id.clone());
    outputs.changed = !run.images.is_empty();
    for image in &run.images {
        let digest = image.digest.clone();
        if outputs.digest.is_empty() {
            outputs.digest.clone_from(&digest);
        }
        outputs.targets.push(Target { reference: image.reference(), digest, changed: true });
    }
    if !outputs.digest.is_empty() {
        let (platform, digest) = (platform.to_owned(), outputs.digest.clone());
        outputs.images.push(Built { platform, digest, new_layers: 0 });
    }
}

#[cfg(test)]
mod tests;
