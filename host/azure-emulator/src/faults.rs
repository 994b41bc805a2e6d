//! Faults on demand: what goes wrong in the real cloud, at the moment a test wants it.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::{Answer, Answered, Refusal};
use crate::azure::Azure;
use crate::call::Call;
use crate::net::host::Service;
use crate::origin::Origin;

/// Where faults are planned, at the emulator's own address: `/_emulator/faults`.
pub(crate) const PATH: &str = "_emulator";

/// Faults that may wait at a time; a test plans a few.
const MOST: usize = 1000;

/// The faults that wait.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Planned>>);

/// A fault, where it strikes, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Planned {
    /// What goes wrong.
    pub fault: Fault,
    /// Text that the request has in `METHOD HOST-OR-SERVICE/PATH`, or that the name in question has:
    /// of the image, the label, the principal. Empty: wherever the fault makes sense.
    #[serde(default)]
    pub on: String,
    /// How many times.
    #[serde(default = "once")]
    pub times: u32,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    tag = "kind",
    deny_unknown_fields
)]
pub enum Fault {
    /// 429 with `Retry-After`.
    Throttle {
        /// Seconds.
        #[serde(default = "one_second")]
        retry_after: u64,
    },
    /// Any refusal, in the shape of ARM.
    Refuse {
        /// Its status.
        status: u16,
        /// Its code.
        code: String,
        /// Its message.
        message: String,
    },
    /// A long-running operation that was accepted fails.
    OperationFails {
        /// The error's code.
        code: String,
        /// Its message.
        message: String,
    },
    /// A new principal is not known yet where roles are assigned.
    SlowPrincipal,
    /// A new application is not known yet where its principal is made.
    SlowApplication,
    /// A DNS label belongs to somebody else.
    LabelTaken,
    /// An image cannot be pulled by Container Instances.
    InaccessibleImage,
    /// Runs of ACR Tasks are not permitted to a registry.
    TasksNotAllowed,
    /// A name of a secret is deleted and can still be recovered.
    SoftDeleted,
}

/// Why a fault was not planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultError {
    /// Too many wait already.
    #[error("more than {MOST} faults wait already")]
    TooMany,
}

fn once() -> u32 {
    1
}

fn one_second() -> u64 {
    1
}

impl Faults {
    /// Lets `fault` strike `times`, where `on` is found.
    ///
    /// # Errors
    /// [`FaultError::TooMany`] if too many wait already.
    pub fn plan(&self, planned: Planned) -> Result<(), FaultError> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST {
            return Err(FaultError::TooMany);
        }
        waiting.push(planned);
        Ok(())
    }

    /// Those that did not strike yet.
    pub fn waiting(&self) -> Vec<Planned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The first fault that strikes here; it is spent once more by that.
    pub(crate) fn take(&self, place: &str, is_meant: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|planned| {
            planned.times > 0 && is_meant(&planned.fault) && place.contains(&planned.on)
        })?;
        let planned = waiting.get_mut(at)?;
        planned.times -= 1;
        let fault = planned.fault.clone();
        if planned.times == 0 {
            waiting.remove(at);
        }
        Some(fault)
    }

    /// Whether a fault strikes here.
    pub(crate) fn strikes(&self, place: &str, fault: &Fault) -> bool {
        self.take(place, |planned| planned == fault).is_some()
    }

    /// Faults of any request.
    pub(crate) fn strike(&self, service: &Service, call: &Call) -> Result<(), Refusal> {
        let name = match service {
            Service::Arm => "arm",
            Service::Login => "login",
            Service::Graph => "graph",
            Service::Blob => "blob",
            Service::Own => "own",
            Service::Vault(name)
            | Service::Registry(name)
            | Service::Container(name)
            | Service::Outside(name) => name,
        };
        let place = format!("{} {name}/{}", call.method, call.path.join("/"));
        let general =
            |fault: &Fault| matches!(fault, Fault::Throttle { .. } | Fault::Refuse { .. });
        match self.take(&place, general) {
            Some(Fault::Throttle { retry_after }) => Err(Refusal::throttled(retry_after)),
            Some(Fault::Refuse { status, code, message }) => {
                Err(Refusal::new(status, &code, message))
            }
            _ => Ok(()),
        }
    }
}

/// `/_emulator/faults`: `GET` lists, `POST` plans, `DELETE` forgets.
pub(crate) fn admin(azure: &Arc<Azure>, call: &Call, path: &[&str]) -> Answered {
    // Through the proxy nobody comes here: pipelines under test must not be able to.
    if call.origin == Origin::Names {
        return Err(Refusal::unknown(call.method.as_str(), &call.path));
    }
    match (call.method.as_str(), path) {
        ("GET", ["faults"]) => Ok(Answer::ok(json!({ "faults": azure.faults.waiting() }))),
        ("POST", ["faults"]) => {
            let planned: Planned = call.document()?;
            let planned = azure.faults.plan(planned);
            planned.map_err(|error| Refusal::bad("TooManyFaults", error.to_string()))?;
            Ok(Answer::empty(204))
        }
        ("DELETE", ["faults"]) => {
            azure.faults.clear();
            Ok(Answer::empty(204))
        }
        (method, _) => Err(Refusal::unknown(method, &call.path)),
    }
}
