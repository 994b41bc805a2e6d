//! Long-running operations: how each of ARM's three ways comes to its end.

use std::time::Duration;

use serde_json::Value;

use crate::call::{Answer, Arm, call, odd};
use crate::http::{Http, Response};
use crate::refusal::{Failure, Refusal, Result};

/// The first pause where Azure does not say how long; it grows to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// az's own pause where Azure does not say.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// So that a server that says `Retry-After: 0` is not asked in a loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// So that no server makes us wait for hours between two looks.
const MOST_ASKED: Duration = Duration::from_secs(120);

/// How an operation is waited for.
pub struct Wait<'a> {
    /// How long in all.
    pub limit: Duration,
    /// Is told each answer on the way, such as the events of a container group.
    pub each: &'a dyn Fn(&Value),
}

impl std::fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wait").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Default for Wait<'_> {
    /// Half an hour: what Azure itself gives a container group or an import.
    fn default() -> Self {
        Self { limit: Duration::from_secs(30 * 60), each: &|_| {} }
    }
}

/// Where an operation says how it stands.
#[derive(Debug)]
enum Way {
    /// `Azure-AsyncOperation`: a document with `status`.
    Status(String),
    /// `Location`: 202 until it is done.
    Location(String),
    /// The resource: `properties.provisioningState`.
    Resource,
}

impl<H: Http> Arm<'_, H> {
    /// Waits until what `answer` has begun is done, and gives what has become of it: of a PUT or
    /// PATCH the resource, else the last body.
    ///
    /// # Errors
    /// Azure's refusal where the operation failed or was cancelled; `timeout.azure` after the
    /// limit, which does not end the operation.
    pub fn finish(&self, answer: Answer, wait: &Wait<'_>) -> Result<Value> {
        let Some(mut way) = way(&answer) else { return Ok(answer.value) };
        let begun = self.http.now();
        // At once the first time, as Azure's own clients do: what is small is done by then.
        let (mut pause, mut own) = (Duration::ZERO, FIRST_PAUSE);
        let mut last = state(&answer.value).unwrap_or("accepted").to_owned();
        loop {
            if self.http.now().saturating_sub(begun).saturating_add(pause) > wait.limit {
                let call = call(answer.method, &answer.url);
                return Err(Failure::Late { call, seconds: wait.limit.as_secs(), last });
            }
            self.http.sleep(pause);
            let url = match &way {
                Way::Status(url) | Way::Location(url) => self.absolute(url),
                Way::Resource => answer.url.clone(),
            };
            let look = self.send("GET", url, None)?;
            (wait.each)(&look.value);
            pause = look.response.retry_after().unwrap_or(own).clamp(SHORTEST_PAUSE, MOST_ASKED);
            own = (own * 2).min(LONGEST_PAUSE);
            match &mut way {
                Way::Location(url) => match look.status {
                    202 => {
                        if let Some(next) = look.header("location") {
                            next.clone_into(url);
                        }
                    }
                    _ => return self.last_word(&answer, look, &way),
                },
                Way::Status(_) | Way::Resource => {
                    // A 202 without a body is an answer, too: not yet.
                    let found = match state(&look.value) {
                        Some(found) => found,
                        None if look.status == 202 => "accepted",
                        None if matches!(way, Way::Resource) => "Succeeded",
                        None => {
                            return Err(odd("GET", &look.url, look.status, "without a `status`"));
                        }
                    };
                    if found.eq_ignore_ascii_case("Succeeded") {
                        return self.last_word(&answer, look, &way);
                    }
                    if ["Failed", "Canceled"].iter().any(|end| found.eq_ignore_ascii_case(end)) {
                        return Err(failed(&answer, &look.value, found, &look.response));
                    }
                    found.clone_into(&mut last);
                }
            }
        }
    }

    /// Why the operation that `answer` began has failed; none where it has not, or does not say. For
    /// who looks at the resource instead of the operation: one request.
    pub fn failure(&self, answer: &Answer) -> Option<Failure> {
        let Some(Way::Status(url)) = way(answer) else { return None };
        let look = match self.send("GET", self.absolute(&url), None) {
            Ok(look) => look,
            Err(failure @ Failure::Refused(_)) => return Some(failure),
            Err(Failure::Host(_) | Failure::Odd { .. } | Failure::Late { .. }) => return None,
        };
        let ended = state(&look.value)?;
        let is_bad = ["Failed", "Canceled"].iter().any(|end| ended.eq_ignore_ascii_case(end));
        is_bad.then(|| failed(answer, &look.value, ended, &look.response))
    }

    /// What has become of it, when all went well.
    fn last_word(&self, answer: &Answer, look: Answer, way: &Way) -> Result<Value> {
        let is_resource = matches!(answer.method, "PUT" | "PATCH");
        match way {
            Way::Resource => Ok(look.value),
            Way::Status(_) | Way::Location(_) if is_resource => {
                Ok(self.send("GET", answer.url.clone(), None)?.value)
            }
            Way::Location(_) => Ok(look.value),
            Way::Status(_) => match answer.header("location") {
                Some(url) => Ok(self.send("GET", self.absolute(url), None)?.value),
                None => Ok(look.value),
            },
        }
    }
}

fn way(answer: &Answer) -> Option<Way> {
    let header = |name| answer.header(name).map(str::to_owned);
    if let Some(url) = header("azure-asyncoperation").or_else(|| header("operation-location")) {
        return Some(Way::Status(url));
    }
    // Of a 201 `Location` is where the made thing is: az follows it all the same, and gets it.
    if let Some(url) = header("location").filter(|_| answer.status != 204) {
        return Some(Way::Location(url));
    }
    let is_resource = matches!(answer.method, "PUT" | "PATCH");
    let is_done = match state(&answer.value) {
        Some(found) => found.eq_ignore_ascii_case("Succeeded"),
        None => answer.status != 202,
    };
    (is_resource && !is_done).then_some(Way::Resource)
}

/// How it stands: `status` of an operation, `properties.provisioningState` of a resource.
fn state(value: &Value) -> Option<&str> {
    let resource = || value.pointer("/properties/provisioningState");
    value.get("status").or_else(resource).and_then(Value::as_str).filter(|it| !it.is_empty())
}

fn failed(answer: &Answer, body: &Value, ended: &str, response: &Response) -> Failure {
    let mut refusal = Refusal::of(body);
    // Some providers put the error below `properties`.
    if refusal.code.is_empty() && refusal.message.is_empty() {
        refusal = body.get("properties").map(Refusal::of).unwrap_or_default();
    }
    refusal.call = call(answer.method, &answer.url);
    refusal.status = response.status;
    refusal.ended = Some(ended.to_owned());
    let header = |name: &str| response.header(name).map(str::to_owned);
    refusal.request_id = header("x-ms-request-id");
    refusal.correlation_id = header("x-ms-correlation-request-id");
    Failure::Refused(Box::new(refusal))
}

#[cfg(test)]
mod tests;
