//! Runs of ACR Tasks, asked of Azure for the table of `windlass runs`.

use azure::{Identity, TaskRun, TaskRuns, TaskTrigger, Wanted};
use capability::Backends;
use record::RunStatus;
use report::{Fault, Kind, Mask};
use run::{Timestamp, Trigger};

use super::super::{Failure, load};
use crate::args::runs::List;
use crate::settings::Settings;
use crate::wiring;

/// Who asks Azure.
pub(super) struct Asker {
    identity: Identity,
    backends: Backends,
}

/// The runs of one registry.
pub(super) struct OfRegistry {
    pub(super) login_server: String,
    pub(super) found: TaskRuns,
}

impl Asker {
    /// The identity of the file that was named; who this machine is where none was.
    pub(super) fn new(asked: &List, settings: &Settings) -> Result<Self, Failure> {
        let (pipeline, base) = match &asked.file {
            Some(file) => {
                let pipeline = pipeline::parse(&load::read(file)?).map_err(Failure::File)?;
                (Some(pipeline), load::base(file))
            }
            None => (None, ".".into()),
        };
        let backends = wiring::backends(pipeline.as_ref(), &base, settings, Mask::new())?;
        let identity = backends.secrets.identity(asked.identity.as_deref());
        let identity = identity.cloned().map_err(|fault| {
            let is_unsaid = fault.kind == Kind::Invalid;
            let said = |fault: Fault| fault.help("`--identity NAME` says it here");
            Failure::Usage(if is_unsaid { said(fault) } else { fault })
        })?;
        Ok(Self { identity, backends })
    }

    /// The runs of the registry that `word` names.
    pub(super) async fn runs(&self, word: &str, asked: &List) -> Result<OfRegistry, Fault> {
        let arm = self.identity.arm(&self.backends.secrets);
        let registry = arm.task_registry(word, asked.subscription.as_deref()).await?;
        let wanted = wanted(asked);
        let keep = |run: &TaskRun| wanted.keeps(run);
        let found = match wanted.can_be_there() {
            false => TaskRuns::default(),
            true => {
                let wanted = Wanted {
                    task: asked.pipeline.as_deref(),
                    status: wanted.word(),
                    since: asked.since.map(Timestamp::as_millis),
                    keep: wanted.is_choosy().then_some(&keep),
                    last: asked.last as usize,
                };
                arm.task_runs(&registry, &wanted).await?
            }
        };
        Ok(OfRegistry { login_server: registry.login_server, found })
    }
}

/// What was asked of the list, in Azure's terms.
struct Asked<'a> {
    status: Vec<RunStatus>,
    trigger: Vec<Trigger>,
    before: Option<u64>,
    image: Option<&'a str>,
}

fn wanted(asked: &List) -> Asked<'_> {
    Asked {
        status: asked.status.iter().map(|&status| status.into()).collect(),
        trigger: asked.trigger.iter().map(|&trigger| trigger.into()).collect(),
        before: asked.before.map(Timestamp::as_millis),
        image: asked.image.as_deref(),
    }
}

impl Asked<'_> {
    /// Azure interrupts no run, and no webhook starts one.
    fn can_be_there(&self) -> bool {
        let status = |status: &RunStatus| *status != RunStatus::Interrupted;
        let trigger = |trigger: &Trigger| *trigger != Trigger::Webhook;
        (self.status.is_empty() || self.status.iter().any(status))
            && (self.trigger.is_empty() || self.trigger.iter().any(trigger))
    }

    /// Whether Azure cannot choose by itself.
    fn is_choosy(&self) -> bool {
        let by_status = !self.status.is_empty() && self.word().is_none();
        by_status || !self.trigger.is_empty() || self.before.is_some() || self.image.is_some()
    }

    /// Azure's word, where it has one for all that is wanted.
    fn word(&self) -> Option<&'static str> {
        match self.status.as_slice() {
            [RunStatus::Queued] => Some("Queued"),
            [RunStatus::Succeeded] => Some("Succeeded"),
            [RunStatus::Cancelled] => Some("Canceled"),
            _ => None,
        }
    }

    fn keeps(&self, run: &TaskRun) -> bool {
        let is_of = |image: &str| {
            run.images.iter().chain(&run.updated).any(|known| {
                let name = known.reference.rsplit_once(':').map(|(name, _)| name);
                [Some(known.reference.as_str()), name, Some(known.digest.as_str())]
                    .contains(&Some(image))
            })
        };
        (self.status.is_empty() || status(run).is_some_and(|known| self.status.contains(&known)))
            && (self.trigger.is_empty()
                || trigger(run).is_some_and(|known| self.trigger.contains(&known)))
            && self.before.is_none_or(|before| run.created.is_some_and(|at| at < before))
            && self.image.is_none_or(is_of)
    }
}

/// How a run stands, in our terms; none for a word that nobody knows yet.
pub(super) fn status(run: &TaskRun) -> Option<RunStatus> {
    Some(match run.status.to_ascii_lowercase().as_str() {
        "queued" => RunStatus::Queued,
        "started" | "running" => RunStatus::Running,
        "succeeded" => RunStatus::Succeeded,
        "failed" | "error" | "timeout" => RunStatus::Failed,
        "canceled" | "cancelled" => RunStatus::Cancelled,
        _ => return None,
    })
}

/// What started a run, in our terms; none for what starts none of ours, such as a pull request.
pub(super) fn trigger(run: &TaskRun) -> Option<Trigger> {
    match &run.trigger {
        TaskTrigger::Manual => Some(Trigger::Manual),
        TaskTrigger::Timer => Some(Trigger::Timer),
        TaskTrigger::ImageUpdate => Some(Trigger::ImageUpdate),
        TaskTrigger::Source(event) => {
            event.to_ascii_lowercase().ends_with("commit").then_some(Trigger::Commit)
        }
    }
}

#[cfg(test)]
mod tests {
    use azure::TaskImage;

    use super::*;

    fn task_run(status: &str) -> TaskRun {
        TaskRun { status: status.to_owned(), created: Some(1000), ..TaskRun::default() }
    }

    fn asked() -> Asked<'static> {
        Asked { status: Vec::new(), trigger: Vec::new(), before: None, image: None }
    }

    #[test]
    fn words_of_azure_are_ours() {
        for (word, ours) in [
            ("Queued", Some(RunStatus::Queued)),
            ("Started", Some(RunStatus::Running)),
            ("Timeout", Some(RunStatus::Failed)),
            ("Canceled", Some(RunStatus::Cancelled)),
            ("Paused", None),
        ] {
            assert_eq!(status(&task_run(word)), ours, "{word}");
        }
        let source = |event: &str| TaskTrigger::Source(event.to_owned());
        for (word, ours) in [
            (source("Git Commit"), Some(Trigger::Commit)),
            (source("commit"), Some(Trigger::Commit)),
            (source("Pull Request"), None),
            (TaskTrigger::ImageUpdate, Some(Trigger::ImageUpdate)),
        ] {
            let run = TaskRun { trigger: word, ..task_run("Queued") };
            assert_eq!(trigger(&run), ours, "{run:?}");
        }
    }

    #[test]
    fn filters_mean_the_same_as_for_our_own_runs() {
        assert!(asked().keeps(&task_run("Paused")));
        let failed = Asked { status: vec![RunStatus::Failed], ..asked() };
        assert!(failed.keeps(&task_run("Timeout")) && !failed.keeps(&task_run("Succeeded")));
        assert_eq!((failed.word(), failed.can_be_there()), (None, true));
        let queued = Asked { status: vec![RunStatus::Queued], ..asked() };
        assert_eq!(queued.word(), Some("Queued"));
        let never = Asked { status: vec![RunStatus::Interrupted], ..asked() };
        assert!(!never.can_be_there());
        assert!(!Asked { trigger: vec![Trigger::Webhook], ..asked() }.can_be_there());
        let before = Asked { before: Some(1000), ..asked() };
        assert!(!before.keeps(&task_run("Queued")));
        let image = TaskImage { reference: "a.azurecr.io/r:t".into(), digest: "sha256:1".into() };
        let run = TaskRun { images: vec![image], ..task_run("Succeeded") };
        for (word, is_it) in [
            ("a.azurecr.io/r:t", true),
            ("a.azurecr.io/r", true),
            ("sha256:1", true),
            ("a.azurecr.io/r:u", false),
            ("r", false),
        ] {
            assert_eq!(Asked { image: Some(word), ..asked() }.keeps(&run), is_it, "{word}");
        }
    }
}
