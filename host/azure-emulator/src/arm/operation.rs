//! Long-running operations: accepted now, done later, asked for meanwhile.
//!
//! They are not kept: who asks a restarted emulator is told that it knows none.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::answer::{Answer, Answered, Refusal};
use crate::azure::Azure;
use crate::call::Call;
use crate::clock;
use crate::faults::Fault;
use crate::json::set;
use crate::net::host;

/// What clients are told to wait, in seconds: a real service says five or ten times as much.
pub(crate) const RETRY_AFTER: &str = "1";

/// Operations that are remembered; the oldest are forgotten first.
const MOST: usize = 10_000;

/// The first question is always answered by "not yet": Azure is never done at once, and a client
/// that cannot wait shall be found out.
const QUESTIONS_IN_VAIN: u32 = 1;

/// What goes on.
#[derive(Debug, Default)]
pub(crate) struct Operations(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_id: BTreeMap<String, Operation>,
    order: std::collections::VecDeque<String>,
}

#[derive(Debug)]
struct Operation {
    /// The resource that it is about.
    resource: String,
    started: String,
    questions: u32,
    outcome: Option<Result<(), Refusal>>,
}

/// The name of an operation, and where to ask for it.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) id: String,
    pub(crate) url: String,
}

impl Operations {
    /// Begins one. `at` is the path up to its id, `version` what its URL carries.
    pub(crate) fn begin(
        &self,
        azure: &Azure,
        call: &Call,
        resource: &str,
        id: String,
        at: &str,
        version: &str,
    ) -> Ticket {
        let url = call.origin.url(host::ARM, &format!("{at}/{id}?api-version={version}"));
        let operation = Operation {
            resource: resource.to_owned(),
            started: clock::arm(azure.clock().now()),
            questions: 0,
            outcome: None,
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = id.to_ascii_lowercase();
        known.by_id.insert(key.clone(), operation);
        known.order.push_back(key);
        if known.order.len() > MOST
            && let Some(oldest) = known.order.pop_front()
        {
            known.by_id.remove(&oldest);
        }
        Ticket { id, url }
    }

    /// Says how it ended; a fault may have other ideas, and says whether it had.
    pub(crate) fn end(&self, azure: &Azure, ticket: &Ticket, outcome: Result<(), Refusal>) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(operation) = known.by_id.get_mut(&ticket.id.to_ascii_lowercase()) else {
            return false;
        };
        let fault = azure
            .faults
            .take(&operation.resource, |fault| matches!(fault, Fault::OperationFails { .. }));
        let Some(Fault::OperationFails { code, message }) = fault else {
            operation.outcome = Some(outcome);
            return false;
        };
        operation.outcome = Some(Err(Refusal::bad(&code, message)));
        true
    }

    /// Answers a client that asks.
    pub(crate) fn answer(&self, call: &Call, id: &str) -> Answered {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(operation) = known.by_id.get_mut(id) else {
            let message = format!("The operation '{id}' is not known.");
            return Err(Refusal::new(404, "OperationNotFound", message));
        };
        let outcome =
            operation.outcome.as_ref().filter(|_| operation.questions >= QUESTIONS_IN_VAIN);
        operation.questions += 1;
        let by_location = call.path.iter().any(|s| s.eq_ignore_ascii_case("operationResults"));
        if by_location {
            return match outcome {
                None => {
                    let query = call.query("api-version").unwrap_or_default();
                    let path = format!("/{}?api-version={query}", call.path.join("/"));
                    Ok(Answer::empty(202)
                        .with("location", call.origin.url(host::ARM, &path))
                        .with("retry-after", RETRY_AFTER))
                }
                Some(Ok(())) => Ok(Answer::empty(200)),
                Some(Err(refusal)) => Err(Refusal::shaped(refusal.status, refusal.body.clone())),
            };
        }
        let mut body = json!({
            "id": operation.resource, "status": "InProgress", "startTime": operation.started,
            "properties": { "events": [] },
        });
        match outcome {
            None => return Ok(Answer::ok(body).with("retry-after", RETRY_AFTER)),
            Some(Ok(())) => set(&mut body, "status", "Succeeded"),
            Some(Err(refusal)) => {
                set(&mut body, "status", "Failed");
                set(&mut body, "error", refusal.error());
            }
        }
        Ok(Answer::ok(body))
    }
}
