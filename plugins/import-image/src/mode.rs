//! Who copies: this machine, or Azure.

use std::time::Duration;

use images::Place;
use windlass_plugin::{Error, Outcome, Result};

use crate::import::{Host, import};
use crate::inputs::{ForeignLayers, Inputs, Mode, Referrers};
use crate::outputs::Outputs;
use crate::server::source::{is_near, split};
use crate::server::{self, Azure};

/// Who copies, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// This machine; why, where somebody may have hoped for Azure.
    Client(Option<String>),
    /// Azure; whether this machine does it where Azure cannot.
    Server {
        /// Whether this machine copies what Azure refuses.
        may_fall_back: bool,
    },
}

/// Layouts and archives, which only this machine has.
const LOCAL: [&str; 3] = ["oci-layout:", "oci-archive:", "docker-archive:"];

/// Copies every source to its targets, here or in Azure; Azure gets `limit` for all of it.
///
/// # Errors
/// As [`import`] and [`server::import`].
pub fn run<A: Azure>(
    inputs: &Inputs,
    is_dry_run: bool,
    limit: Duration,
    host: &dyn Host,
    azure: &A,
) -> Result<Outcome<Outputs>> {
    let may_fall_back = match choose(inputs)? {
        Way::Client(why) => {
            if let Some(why) = why {
                host.say(&format!("copies from this machine, and not in Azure: {why}"));
            }
            return import(inputs, is_dry_run, host);
        }
        Way::Server { may_fall_back } => may_fall_back,
    };
    if inputs.referrers == Referrers::All(true) {
        host.say("imports in Azure: signatures and the like do not come along");
    }
    match server::import(inputs, is_dry_run, limit, host, azure) {
        Err(error) if may_fall_back && is_azures(&error) => {
            host.say(&format!("Azure does not import it: {error}"));
            host.say("copies from this machine instead, with the credentials of `[registries]`");
            import(inputs, is_dry_run, host)
        }
        done => done,
    }
}

/// Whether this machine may have more luck: not with a tag that is taken, nor with what makes no
/// sense, nor when the time is up.
fn is_azures(error: &Error) -> bool {
    !["conflict", "timeout", "cancelled"].iter().any(|kind| error.is(kind))
        && error.code() != "invalid.inputs"
}

/// Decides.
///
/// # Errors
/// `invalid.inputs` where Azure shall import what it cannot, or this machine is given what is Azure's.
pub fn choose(inputs: &Inputs) -> Result<Way> {
    match inputs.mode {
        Mode::Client => {
            refuse_azure(inputs)?;
            Ok(Way::Client(None))
        }
        Mode::Server => match obstacle(inputs) {
            None => Ok(Way::Server { may_fall_back: false }),
            Some(Obstacle { why, hint }) => {
                Err(Error::invalid(format!("Azure cannot import it: {why}")).hint(hint))
            }
        },
        Mode::Auto => Ok(match obstacle(inputs) {
            None => Way::Server { may_fall_back: true },
            Some(Obstacle { why, .. }) => Way::Client(Some(why)),
        }),
    }
}

/// Why Azure cannot do it, and what to do about it.
struct Obstacle {
    why: String,
    hint: String,
}

const HERE: &str = "`mode = \"client\"` copies from this machine";

fn obstacle(inputs: &Inputs) -> Option<Obstacle> {
    let missing = |why: &str, hint: &str| {
        Some(Obstacle { why: why.to_owned(), hint: format!("{hint}; or {HERE}") })
    };
    if inputs.identity.is_none() {
        return missing(
            "no `identity` is given",
            "say for whom, `identity = \"NAME\"` of an `[identity.NAME]`",
        );
    }
    if !inputs.platforms.as_slice().iter().all(|platform| platform == "all") {
        return missing("it imports every platform, and `platforms` names some", "leave it away");
    }
    let asks_for_referrers = match &inputs.referrers {
        Referrers::All(_) => false,
        Referrers::Word(_) | Referrers::Types(_) => true,
    };
    if asks_for_referrers {
        return missing("it does not bring what `referrers` asks for", "leave it away");
    }
    if inputs.foreign_layers == ForeignLayers::Include {
        return missing("`foreign-layers` is not for Azure to decide", "leave it away");
    }
    if inputs.mount_from.is_some() {
        return missing("it links blobs by itself, and knows no `mount-from`", "leave it away");
    }
    if inputs.expect_digest.is_some() {
        return missing(
            "it does not compare digests, as `expect-digest` wants",
            "write the digest behind the source, `HOST/REPOSITORY@sha256:…`, and it is just that",
        );
    }
    let sources = inputs.source.iter().chain(&inputs.sources);
    let targets = inputs.target.iter().chain(&inputs.targets);
    if let Some(place) = sources.clone().chain(targets.clone()).find(|place| is_local(place)) {
        return Some(Obstacle {
            why: format!("`{place}` is on this machine"),
            hint: HERE.to_owned(),
        });
    }
    if inputs.source_registry.is_none()
        && let Some(host) =
            sources.filter_map(|source| split(source).host).find(|host| is_near(host))
    {
        return Some(Obstacle {
            why: format!("`{host}` is not to be reached from Azure"),
            hint: HERE.to_owned(),
        });
    }
    // With an endpoint of its own a cloud has suffixes of its own: then Azure is asked.
    let foreign = |target: &&String| {
        let host = split(target).host;
        inputs.endpoint.is_none() && !host.is_some_and(|host| acr::is_login_server(&host))
    };
    targets.clone().find(foreign).map(|target| Obstacle {
        why: format!("`{}` is no registry of Azure", Place::split(target).name),
        hint: HERE.to_owned(),
    })
}

fn is_local(place: &str) -> bool {
    LOCAL.iter().any(|word| place.starts_with(word))
}

/// What only Azure understands would silently mean nothing.
fn refuse_azure(inputs: &Inputs) -> Result<()> {
    let given = [
        ("source-registry", inputs.source_registry.is_some()),
        ("username", inputs.username.is_some()),
        ("password", inputs.password.is_some()),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((name, _)) => Err(Error::invalid(format!(
            "`{name}` is for imports by Azure, and this machine copies"
        ))
        .hint(
            "say `mode = \"server\"`, or give this machine credentials in \
                     `[registries.\"HOST\"]` of the pipeline",
        )),
    }
}

#[cfg(test)]
mod tests;
