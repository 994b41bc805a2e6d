//! A pipeline file that is watched.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::hook::{Check, Endpoint, Form};
use ::run::{EventSink, RunResult, SystemClock, Trigger as Kind};
use capability::{Backends, Secrets, StateFile};
use oci::Platform;
use pipeline::plan::{Concurrency, Proof, Rule, Sender, Trigger};
use pipeline::{Plan, RunFacts, Scope, Step, StepFacts, StepId};
use record::{NewRun, Store};
use report::{Diagnostic, Fault};
use serde_json::Value;

use crate::args::{Given, watch::Watch};
use crate::command::run::{Wanted, new_run, options};
use crate::command::{Failure, load};
use crate::settings::Settings;
use crate::wiring::Runner;

/// A pipeline file that is watched.
pub(super) struct Watched {
    pub(super) given: Given,
    /// The run that its triggers start.
    pub(super) new: NewRun,
    pub(super) plan: Plan,
    /// Where it hears webhooks, by name.
    pub(super) endpoints: BTreeMap<String, Endpoint>,
    loaded: load::Loaded,
}

/// Hears nothing: a look is no run that people follow.
struct Unheard;

impl EventSink for Unheard {
    fn emit(&self, _: &::run::Event) {}
}

impl Watched {
    /// Reads the file and its plugins; what is wrong with a run shows now, not when one is due.
    pub(super) async fn load(
        file: &Path,
        arguments: &Watch,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let given = Given { file: file.to_owned(), inputs: arguments.inputs.clone() };
        let wanted = Wanted {
            given: given.clone(),
            choices: record::Choices::default(),
            how: arguments.how,
            again: None,
        };
        let loaded = load::load(file, settings).await?;
        let plan = loaded.plan(&given, settings)?;
        if plan.triggers.is_empty() {
            let problem = Diagnostic::error(format!("`{}` has nothing to watch", file.display()))
                .help("add `[[on.image-update]]` with `images = [\"…\"]`, or `[[on.schedule]]`");
            return Err(Failure::File(vec![problem]));
        }
        check(&plan).map_err(Failure::File)?;
        loaded.backends.secrets.learn().await;
        let new = new_run(&wanted, &plan, &options(&wanted, &plan)?, &loaded.mask)?;
        let endpoints = match arguments.once {
            true => BTreeMap::new(),
            false => endpoints(&plan, &loaded.backends.secrets).await?,
        };
        Ok(Self { given, new, plan, endpoints, loaded })
    }

    /// Whether at most one run of it is under way at a time.
    pub(super) fn runs_alone(&self) -> bool {
        self.plan.concurrency != Concurrency::Allow
    }

    /// The run that `trigger` starts.
    pub(super) fn run_of(&self, trigger: &Trigger) -> NewRun {
        let kind = match trigger.rule {
            Rule::Images { .. } => Kind::ImageUpdate,
            Rule::Schedule { .. } => Kind::Timer,
            Rule::Git { .. } => Kind::Commit,
            Rule::Webhook { .. } => Kind::Webhook,
        };
        NewRun { trigger: kind, ..self.new.clone() }
    }

    /// What the steps that `look` speaks of gave when they last ran.
    pub(super) fn results(
        &self,
        look: &Step,
        store: &Store,
    ) -> Result<BTreeMap<StepId, StepFacts>, Fault> {
        let mut results = BTreeMap::new();
        for step in look.sees() {
            if let Some(outputs) = store.last_outputs(&self.new.file, step.as_str())? {
                let facts = StepFacts { outcome: "succeeded".to_owned(), outputs };
                results.insert(step.clone(), facts);
            }
        }
        Ok(results)
    }

    /// Runs `look` by itself: `memory` is what it finds remembered, and what it remembers is in the
    /// memory that is returned.
    pub(super) async fn run_look(
        &self,
        look: &Step,
        results: BTreeMap<StepId, StepFacts>,
        memory: Vec<(String, Vec<u8>)>,
    ) -> Result<(RunResult, Vec<(String, Vec<u8>)>), Fault> {
        let scope = Scope {
            inputs: self.plan.inputs.clone(),
            run: RunFacts::default(),
            steps: results,
            matrix: None,
        };
        let look = look.settled(&scope)?;
        let own = format!("{}/{}", self.plan.name, look.id);
        let state = StateFile::in_memory(own.clone(), memory);
        let plan = Plan {
            steps: vec![look],
            triggers: Vec::new(),
            timeout: Some(super::look::LONGEST),
            ..self.plan.clone()
        };
        let runner = Runner {
            pipeline: self.plan.name.clone(),
            plugins: self.loaded.plugins.clone(),
            backends: Backends { state: state.clone(), ..self.loaded.backends.clone() },
            source_date_epoch: None,
        };
        let engine = ::run::Engine {
            runner: Arc::new(runner),
            sink: Arc::new(Unheard),
            clock: Arc::new(SystemClock),
            mask: self.loaded.mask.clone(),
        };
        let options = ::run::Options::new("look");
        let result = ::run::execute(&plan, &engine, &options, &::run::Stop::new()).await;
        Ok((result, state.values(&own).await?))
    }

    /// The folder of the file.
    pub(super) fn folder(&self) -> &Path {
        self.new.file.parent().unwrap_or(Path::new("."))
    }
}

/// Where webhooks are heard, each with the secret that proves them.
async fn endpoints(plan: &Plan, secrets: &Secrets) -> Result<BTreeMap<String, Endpoint>, Fault> {
    let mut endpoints = BTreeMap::new();
    for trigger in &plan.triggers {
        let Rule::Webhook { name, from, secret, check, header, .. } = &trigger.rule else {
            continue;
        };
        let form = match from {
            Sender::Distribution => Form::Distribution,
            Sender::Acr => Form::Acr,
            Sender::DockerHub => Form::DockerHub,
            Sender::EventGrid => Form::EventGrid,
            Sender::Github => Form::Github,
            Sender::Any => Form::Any,
        };
        let check = check.map(|check| match check {
            Proof::Token => Check::Token,
            Proof::HmacSha256 => Check::HmacSha256,
        });
        let value = secrets.value(secret).await?;
        let endpoint = Endpoint::new(form, check, header.as_deref(), value).map_err(|error| {
            Fault::from(error).cause(format!("`{}` of `{}`", trigger.name, plan.name))
        })?;
        endpoints.insert(name.clone(), endpoint);
    }
    Ok(endpoints)
}

/// Holds what the triggers of `plan` name against what can be looked at.
///
/// # Errors
/// What is no image and no platform, as far as it is known before a look.
pub(in crate::command) fn check(plan: &Plan) -> Result<(), Vec<Diagnostic>> {
    let problems: Vec<_> = plan.triggers.iter().flat_map(|trigger| wrong(trigger, plan)).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn wrong(trigger: &Trigger, plan: &Plan) -> Vec<Diagnostic> {
    let Rule::Images { look, .. } = &trigger.rule else { return Vec::new() };
    let inputs = look.preview().inputs;
    let texts = |key: &str| match inputs.get(key) {
        Some(Value::Array(list)) => {
            list.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
        }
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let is_known = |text: &String| !text.contains("{{");
    let at = |problem: Diagnostic| problem.at(&plan.source, look.span, "");
    let mut problems = Vec::new();
    for text in texts("images").iter().chain(&texts("annotations-of")).filter(|it| is_known(it)) {
        if let Err(error) = text.parse::<oci::Place>() {
            problems.push(at(Diagnostic::error(error.to_string())).maybe_help(error.help()));
        }
    }
    let words = ["all", "system"];
    let platforms = texts("platforms");
    let named = platforms.iter().filter(|it| is_known(it) && !words.contains(&it.as_str()));
    for text in named {
        if let Err(error) = text.parse::<Platform>() {
            let help = "write it like `platforms = [\"linux/amd64\"]`";
            problems.push(at(Diagnostic::error(error.to_string())).help(help));
        }
    }
    problems
}
