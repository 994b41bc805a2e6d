//! ACR Tasks: contexts that are uploaded, runs that really build, tasks that describe them.
//!
//! A task runs when somebody says so, or when an image that it was built on is another one ([`base`]).
//!
//! Building is done by a [`builder::Builder`], which the program that starts the emulator has; without
//! one, runs are refused as Azure refuses them to subscriptions that may have none.

pub(crate) mod base;
pub(crate) mod blob;
pub(crate) mod builder;
mod context;
mod execute;
mod log;
pub(crate) mod run;
mod sas;
mod schedule;
mod task;

use serde_json::json;

use crate::answer::{Answer, Answered, Refusal};
use crate::arm::Admitted;
use crate::clock;
use crate::net::host;
use crate::registry::control::Registry;

pub(crate) use run::Running;

/// Answers for what of a registry belongs to tasks; `None` for the rest.
pub(crate) fn answer(
    admitted: &Admitted<'_>,
    registry: &Registry,
    rest: &[&str],
) -> Option<Answered> {
    let method = admitted.call.method.as_str();
    Some(match (method, rest) {
        ("POST", ["listbuildsourceuploadurl"]) => upload_url(admitted, registry),
        ("POST", ["schedulerun"]) => schedule::answer(admitted, registry),
        (_, ["runs", rest @ ..]) => run::answer(admitted, registry, rest),
        (_, ["tasks", rest @ ..]) => task::answer(admitted, registry, rest),
        _ => return None,
    })
}

fn upload_url(admitted: &Admitted<'_>, registry: &Registry) -> Answered {
    allowed(admitted, registry)?;
    let azure = admitted.azure;
    let day = clock::format(azure.clock().now(), "%Y%m%d0000");
    let path = format!("source/{day}/{}.tar.gz", uuid::Uuid::new_v4());
    let at = format!("/{}/{path}", container(registry));
    let query = sas::query(azure, &at, "rcw");
    let url = admitted.call.origin.url(host::BLOB, &format!("{at}?{query}"));
    Ok(Answer::ok(json!({ "uploadUrl": url, "relativePath": path })))
}

/// The container of a registry, in the storage account of tasks.
fn container(registry: &Registry) -> String {
    format!("{}-{}", registry.name().to_ascii_lowercase(), sas::suffix(&registry.id))
}

/// Whether runs are permitted: there is a builder, and no fault says otherwise.
fn allowed(admitted: &Admitted<'_>, registry: &Registry) -> Result<(), Refusal> {
    let azure = admitted.azure;
    let refused = azure.faults.strikes(registry.name(), &crate::faults::Fault::TasksNotAllowed);
    if azure.config.builder.is_some() && !refused {
        return Ok(());
    }
    let message = format!(
        "ACR Tasks requests for the registry {} and {} are not permitted. Please file an Azure support request at http://aka.ms/azuresupport for assistance.",
        registry.name(),
        azure.config.names.subscription
    );
    Err(Refusal::bad("TasksOperationsNotAllowed", message).target("request"))
}
