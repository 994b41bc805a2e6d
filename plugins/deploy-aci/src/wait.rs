//! Waits until a group is healthy.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use arm::{Answer, Arm, Failure, ResourceId};
use windlass_plugin::{Error, Result};

use crate::check;
use crate::host::Host;
use crate::inputs::{Health, Inputs, Restart, WaitFor};
use crate::outputs::ContainerState;
use crate::spec::VERSION;
use crate::state::Group;

/// The first pause where Azure does not say how long; each further one is longer by half.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// A group comes up in half a minute: longer pauses only make the step longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What Azure asks for is kept within this, so that a pause of 0 is no loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// What a look says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As wanted.
    Ready,
    /// Not yet; what is waited for.
    Wait(String),
    /// It will not be.
    Bad(String),
}

/// What `group` is, for what the inputs want.
#[must_use]
pub fn judge(group: &Group, inputs: &Inputs) -> Verdict {
    let is = |word: &str| group.provisioning.eq_ignore_ascii_case(word);
    if ["Failed", "Canceled", "Unhealthy"].into_iter().any(is) {
        return Verdict::Bad(format!("Azure could not make it: `{}`", group.provisioning));
    }
    if let Some(restarted) = group.containers.iter().find(|it| {
        inputs.wait_for != WaitFor::Accepted && it.restart_count > inputs.max_restarts.into()
    }) {
        let ContainerState { name, restart_count, .. } = restarted;
        let exit = restarted.exit_code.map_or(String::new(), |code| format!(", last with {code}"));
        return Verdict::Bad(format!("container `{name}` has ended {restart_count} times{exit}"));
    }
    if !is("Succeeded") {
        return Verdict::Wait(format!("Azure makes it: `{}`", group.provisioning));
    }
    if inputs.wait_for == WaitFor::Accepted {
        return Verdict::Ready;
    }
    let verdicts = group.containers.iter().map(|container| judge_one(container, inputs));
    let mut waits = None;
    for verdict in verdicts {
        match verdict {
            Verdict::Ready => {}
            Verdict::Wait(_) => waits = waits.or(Some(verdict)),
            Verdict::Bad(_) => return verdict,
        }
    }
    if group.state.eq_ignore_ascii_case("Failed") {
        return Verdict::Bad("it has failed".to_owned());
    }
    let nothing = || Verdict::Wait("Azure names no containers".to_owned());
    waits.unwrap_or_else(|| if group.containers.is_empty() { nothing() } else { Verdict::Ready })
}

fn judge_one(container: &ContainerState, inputs: &Inputs) -> Verdict {
    let ContainerState { name, state, exit_code, detail, .. } = container;
    let detail = detail.as_ref().map_or(String::new(), |detail| format!(" ({detail})"));
    match (state.to_ascii_lowercase().as_str(), exit_code, inputs.restart) {
        ("running", _, _) if inputs.wait_for == WaitFor::Healthy => Verdict::Ready,
        ("terminated", Some(0), Restart::OnFailure | Restart::Never) => Verdict::Ready,
        ("terminated", Some(code), Restart::Never) => {
            Verdict::Bad(format!("container `{name}` has ended with {code}{detail}"))
        }
        ("", _, _) => Verdict::Wait(format!("container `{name}` has not begun")),
        (state, _, _) => Verdict::Wait(format!("container `{name}` is {state}{detail}")),
    }
}

/// How a wait ended badly.
#[derive(Debug)]
pub struct Unwell {
    /// Why.
    pub error: Error,
    /// What was seen last.
    pub group: Option<Box<Group>>,
}

impl<T: Into<Error>> From<T> for Unwell {
    fn from(error: T) -> Self {
        Self { error: error.into(), group: None }
    }
}

/// A wait.
pub struct Wait<'a, H: Host> {
    /// Azure.
    pub arm: &'a Arm<'a, H>,
    /// The host.
    pub host: &'a H,
    /// The group.
    pub id: &'a ResourceId,
    /// What is wanted.
    pub inputs: &'a Inputs,
}

impl<H: Host> Wait<'_, H> {
    /// Looks until the group is as wanted: first at `seen`, if that is there, else once Azure has
    /// worked on what it said in `begun`. The looks are at the group itself, which says more than the
    /// operation does; that is only asked why it failed.
    ///
    /// # Errors
    /// `azure.unhealthy` or what Azure says of the operation; `timeout.azure` after `within`.
    pub fn until_ready(
        &self,
        begun: Option<&Answer>,
        seen: Option<Group>,
    ) -> Result<Group, Unwell> {
        let within = check::within(self.inputs)?;
        let (start, told) = (self.host.now(), RefCell::new(BTreeSet::new()));
        let asked = begun.and_then(Answer::retry_after);
        let (mut pause, mut next) = (asked.unwrap_or(FIRST_PAUSE), seen);
        let mut group = loop {
            let group = match next.take() {
                Some(group) => group,
                None => {
                    self.pause(pause);
                    pause = (pause * 3 / 2).min(LONGEST_PAUSE);
                    Group::read(&self.arm.get(self.id, VERSION)?)
                }
            };
            for event in &group.events {
                if told.borrow_mut().insert(event.clone()) {
                    self.host.say(event);
                }
            }
            match judge(&group, self.inputs) {
                Verdict::Ready => break group,
                Verdict::Bad(why) => return Err(self.bad(why, begun, group)),
                Verdict::Wait(why) => {
                    if self.host.now().saturating_sub(start).saturating_add(pause) > within {
                        return Err(self.late(&why, group));
                    }
                }
            }
        };
        if let Some(health) = &self.inputs.health {
            let left = within.saturating_sub(self.host.now().saturating_sub(start));
            if let Err(error) = self.until_it_answers(health, &mut group, left) {
                return Err(Unwell { error, group: Some(Box::new(group)) });
            }
        }
        Ok(group)
    }

    fn pause(&self, pause: Duration) {
        self.host.sleep(pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
    }

    fn bad(&self, why: String, begun: Option<&Answer>, group: Group) -> Unwell {
        let said = begun.and_then(|answer| self.arm.failure(answer));
        let error = match said {
            Some(failure @ Failure::Refused(_)) => Error::from(failure),
            _ => Error::new("azure.unhealthy", format!("container group `{}`: {why}", self.inputs.name))
                .hint("see what its containers have written above; `on-failure = \"restore\"` puts the former group again"),
        };
        Unwell { error, group: Some(Box::new(group)) }
    }

    fn late(&self, why: &str, group: Group) -> Unwell {
        let Inputs { name, within, .. } = self.inputs;
        let text = format!("container group `{name}` is not as wanted after {within}: {why}");
        let error = Error::new("timeout.azure", text).hint("give it more time with `within`");
        Unwell { error, group: Some(Box::new(group)) }
    }

    /// Asks the group's name until the answer is good.
    fn until_it_answers(&self, health: &Health, group: &mut Group, left: Duration) -> Result<()> {
        let Some(fqdn) = &group.fqdn else {
            return Err(Error::new("azure.unhealthy", "Azure has given the group no name to ask"));
        };
        if !fqdn.ends_with(&format!(".{}", health.suffix)) {
            let text = format!(
                "the group is called `{fqdn}`, which does not end with `.{}`",
                health.suffix
            );
            return Err(Error::invalid(text).hint("say the cloud's ending in `health.suffix`"));
        }
        let url = format!("{}://{fqdn}:{}{}", health.scheme, health.port, health.path);
        let (start, mut pause) = (self.host.now(), FIRST_PAUSE);
        loop {
            let answer = self.host.probe(&url);
            let why = match answer {
                Ok(status)
                    if health.status.map_or((200..400).contains(&status), |it| it == status) =>
                {
                    self.host.say(&format!("{url} answers {status}"));
                    return Ok(());
                }
                Ok(status) => format!("it answers {status}"),
                // What was not granted will not be in a minute.
                Err(error) if error.is("denied") || error.is("invalid") => return Err(error),
                Err(error) => error.message().to_owned(),
            };
            if self.host.now().saturating_sub(start).saturating_add(pause) > left {
                let text = format!(
                    "container group `{}` runs, but {url} is not healthy: {why}",
                    self.inputs.name
                );
                return Err(Error::new("azure.unhealthy", text).hint(
                    "check `health`, the ports, and that the container listens on all addresses",
                ));
            }
            self.pause(pause);
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests;
