//! What is done about a difference.

use std::cell::Cell;

use arm::{Answer, Arm, Body, Failure, ResourceId};
use serde_json::Value;
use windlass_plugin::{Error, Result};

use super::Move;
use crate::host::Host;
use crate::inputs::{Inputs, OnFailure, Replace};
use crate::manage;
use crate::restore;
use crate::spec::VERSION;
use crate::state::Group;
use crate::wait::{Unwell, Wait};

/// A deployment.
pub(super) struct Job<'a, H: Host> {
    pub(super) inputs: &'a Inputs,
    pub(super) host: &'a H,
    pub(super) arm: &'a Arm<'a, H>,
    pub(super) id: &'a ResourceId,
    pub(super) wanted: &'a Body<String>,
    /// Whether the former group is deleted and none is in its place.
    pub(super) is_gone: Cell<bool>,
}

impl<H: Host> Job<'_, H> {
    /// Does what is planned; the group then, and whether it was made anew.
    pub(super) fn run(&self, planned: &Move, seen: Option<Group>) -> Result<(Group, bool), Unwell> {
        let wait = self.wait();
        match planned {
            Move::Nothing => {
                if seen.as_ref().is_some_and(|group| group.state.eq_ignore_ascii_case("Stopped")) {
                    let text = format!(
                        "container group `{}` is as it should be, but stopped",
                        self.inputs.name
                    );
                    return Err(Error::new("azure.unhealthy", text)
                        .hint("say `action = \"start\"`")
                        .into());
                }
                Ok((wait.until_ready(None, seen)?, false))
            }
            Move::Tag => {
                let tags = self.wanted.value.get("tags").cloned().unwrap_or_default();
                let body = Body::from(serde_json::json!({ "tags": tags }));
                let answer = self.arm.patch(self.id, VERSION, &body)?;
                self.arm.finish(answer, &arm::Wait::default())?;
                Ok((wait.until_ready(None, seen)?, false))
            }
            Move::Create | Move::Update => match self.put(self.wanted) {
                Ok(begun) => Ok((wait.until_ready(Some(&begun), None)?, false)),
                Err(failure) if self.needs_another(planned, &failure) => {
                    self.host.warn(&format!("{failure}; it is made anew"));
                    Ok((self.anew()?, true))
                }
                Err(failure) => Err(self.explained(failure).into()),
            },
            Move::Replace => Ok((self.anew()?, true)),
        }
    }

    fn wait(&self) -> Wait<'_, H> {
        Wait { arm: self.arm, host: self.host, id: self.id, inputs: self.inputs }
    }

    fn put(&self, body: &Body<String>) -> Result<Answer, Failure> {
        let mut sealed = Body::from(body.value.clone());
        for hole in &body.holes {
            let secret = self.host.secret(&hole.secret)?;
            let pointer = hole.pointer.clone();
            sealed.holes.push(arm::Hole { pointer, secret, encoding: hole.encoding });
        }
        let begun = self.arm.put(self.id, VERSION, &sealed)?;
        self.is_gone.set(false);
        Ok(begun)
    }

    /// Deletes the group and makes it anew.
    fn anew(&self) -> Result<Group, Unwell> {
        self.is_gone.set(manage::delete(self.arm, self.id)?);
        let begun = self.put(self.wanted).map_err(|failure| self.explained(failure))?;
        self.wait().until_ready(Some(&begun), None)
    }

    /// Whether Azure wants another group in place of a change.
    fn needs_another(&self, planned: &Move, failure: &Failure) -> bool {
        let code = failure.azure_code().unwrap_or_default();
        *planned == Move::Update
            && self.inputs.replace == Replace::IfNeeded
            && code.contains("ContainerGroupUpdate")
    }

    fn explained(&self, failure: Failure) -> Error {
        let code = failure.azure_code().unwrap_or_default().to_owned();
        let error = Error::from(failure);
        let server = "say the registry's credentials in `registries`: Azure pulls with those, not with \
                      those of the pipeline";
        match code.as_str() {
            "InaccessibleImage" => error.hint(server),
            "RegistryErrorResponse" => error.hint(
                "the registry answers Azure with an error, often its limit of anonymous pulls; \
                       import the image into a registry of your own",
            ),
            code if code.contains("ContainerGroupUpdate") => error.hint(
                "say `replace = \"if-needed\"`: it is deleted and made anew, with another address",
            ),
            code if code.contains("DnsNameLabel") => error
                .hint("choose another `dns-label`, `dns-random = true`, or another `dns-scope`"),
            _ => error,
        }
    }

    /// Shows what the containers have written, and puts the former group again if that is wanted.
    pub(super) fn fail(&self, unwell: Unwell, planned: &Move, former: Option<&Value>) -> Error {
        let Unwell { error, group } = unwell;
        for container in group.iter().flat_map(|group| &group.containers) {
            if let Ok(text) = manage::output(self.arm, self.id, &container.name, self.inputs.tail) {
                manage::show(self.host, &container.name, &text);
            }
        }
        // A change that Azure has refused has changed nothing, and of a look that failed nobody knows
        // what it would have seen.
        let is_seen = group.is_some() && !matches!(planned, Move::Nothing | Move::Tag);
        match former {
            Some(former)
                if (is_seen || self.is_gone.get())
                    && self.inputs.on_failure == OnFailure::Restore =>
            {
                self.restore(former, error)
            }
            _ => error,
        }
    }

    fn restore(&self, former: &Value, error: Error) -> Error {
        let body = match restore::former(former, self.wanted) {
            Ok(body) => body,
            Err(lost) => {
                self.host.warn(&format!(
                    "the former group is not restored: nobody knows its secrets at {}",
                    lost.join(", ")
                ));
                return error;
            }
        };
        let put = match self.put(&body) {
            Err(failure)
                if failure.azure_code().is_some_and(|it| it.contains("ContainerGroupUpdate")) =>
            {
                manage::delete(self.arm, self.id).and_then(|_| self.put(&body))
            }
            other => other,
        };
        let done =
            put.map_err(Unwell::from).and_then(|begun| self.wait().until_ready(Some(&begun), None));
        match done {
            Ok(_) => {
                self.host.say("the former group is restored");
                error.during("the former group is restored")
            }
            Err(again) => {
                self.host.warn(&format!("the former group is not restored: {}", again.error));
                error
            }
        }
    }
}
