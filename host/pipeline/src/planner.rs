//! [`Pipeline`] to [`Plan`]: every name resolved, every problem reported.

mod identity;
mod on;
mod step;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use report::{Diagnostic, Source, Span};
use serde_json::Value;

use crate::at::At;
use crate::catalog::Catalog;
use crate::check::Plugin;
use crate::input::{self, Inputs};
use crate::name::StepId;
use crate::order::{self, Edge};
use crate::plan::{
    Given, Plan, RegistrySpec, SecretFrom, SecretRef, SecretSpec, Step, TextOrSecret,
};
use crate::problem;
use crate::schema::{Pipeline, RegistryEntry, SecretEntry, SecretProvider};
use crate::template::{Context, Node};

use text::{Gathered, Site};

/// Makes the plan of `pipeline` for what is `given`, with the plugins of `catalog`.
///
/// # Errors
/// Every problem: of the values given first, then in the order of the file.
pub fn plan(
    pipeline: &Pipeline,
    given: &Given,
    catalog: &dyn Catalog,
) -> Result<Plan, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let inputs = input::resolve(&pipeline.source, &pipeline.inputs, given, &mut problems);
    let mut planner = Planner {
        context: Context::of_inputs(&inputs.values),
        source: &pipeline.source,
        pipeline,
        catalog,
        inputs,
        problems,
        warnings: Vec::new(),
        plugins: BTreeMap::new(),
        uses: Vec::new(),
        ids: Vec::new(),
        index: BTreeMap::new(),
        words: BTreeMap::new(),
    };
    let plan = planner.plan();
    let mut problems = planner.problems;
    match plan {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => {
            problems.sort_by_key(|problem| (problem.source.is_some(), problem.offset()));
            Err(problems)
        }
    }
}

struct Planner<'a> {
    source: &'a Source,
    pipeline: &'a Pipeline,
    catalog: &'a dyn Catalog,
    inputs: Inputs,
    /// The inputs, as templates see them.
    context: Context,
    problems: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// By `uses`; nothing for one whose problem is that it cannot be used.
    plugins: BTreeMap<&'a str, Result<Arc<Plugin>, step::PluginProblem>>,
    /// The plugin of each step of the file.
    uses: Vec<Option<Arc<Plugin>>>,
    ids: Vec<StepId>,
    /// Where in the file each id is.
    index: BTreeMap<&'a str, usize>,
    /// Filters and tests that templates name, and whether they exist.
    words: BTreeMap<(&'static str, String), bool>,
}

impl<'a> Planner<'a> {
    fn plan(&mut self) -> Option<Plan> {
        let pipeline = self.pipeline;
        if pipeline.step.is_empty() {
            self.report(problem::no_steps(self.source));
        }
        let identities = self.identities();
        let secrets = self.secrets();
        let registries = self.registries();
        self.number_steps()?;
        let (steps, edges): (Vec<_>, Vec<_>) =
            (0..pipeline.step.len()).map(|index| self.step(index)).unzip();
        let triggers = self.triggers();
        let order = self.order(&edges)?;
        let mut steps: Vec<Option<Step>> = steps;
        let steps = order.into_iter().filter_map(|index| steps.get_mut(index)?.take()).collect();
        let header = &pipeline.pipeline;
        self.warnings.sort_by_key(Diagnostic::offset);
        Some(Plan {
            name: header.name.value.clone(),
            description: header.description.as_ref().map(|text| text.value.clone()),
            source: self.source.clone(),
            inputs: std::mem::take(&mut self.inputs.values),
            identities,
            secrets,
            registries,
            steps,
            triggers,
            concurrency: pipeline.on.concurrency.as_ref().map(|it| it.value).unwrap_or_default(),
            timeout: header.timeout.as_ref().map(|timeout| timeout.value),
            fail_fast: header.fail_fast.as_ref().is_none_or(|flag| flag.value),
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Ids and plugins of all steps, before any step is looked at: any may refer to any other.
    fn number_steps(&mut self) -> Option<()> {
        for (index, entry) in self.pipeline.step.iter().enumerate() {
            if let Some(&first) = self.index.get(entry.id.value.as_str()) {
                let first = self.pipeline.step.get(first).map_or(Span::default(), |e| e.id.span);
                self.report(problem::duplicate_step(self.source, &entry.id, first));
            } else {
                self.index.insert(&entry.id.value, index);
            }
            // Parsing has checked the names; a pipeline made by hand may still break the rule.
            self.ids.push(StepId::parse(&entry.id.value).ok()?);
            let plugin = self.plugin(entry);
            self.uses.push(plugin);
        }
        Some(())
    }

    fn order(&mut self, edges: &[Vec<Edge>]) -> Option<Vec<usize>> {
        let cycles = match order::order(edges) {
            Ok(order) => return Some(order),
            Err(cycles) => cycles,
        };
        for cycle in cycles {
            let path: Vec<(String, Span, &'static str)> = cycle
                .into_iter()
                .filter_map(|(step, edge)| {
                    Some((self.ids.get(step)?.to_string(), edge.span, edge.why.verb()))
                })
                .collect();
            self.report(problem::cycle(self.source, &path));
        }
        None
    }

    /// The name of a group: text, known before anything runs.
    fn group(&mut self, text: &At<String>) -> Option<String> {
        let before = self.problems.len();
        let node = self.text(&text.value, text.span, &Site::BeforeRun, &mut Gathered::default());
        match node {
            Node::Value(Value::String(group)) => Some(group),
            other @ (Node::Value(_) | Node::Text(_) | Node::List(_) | Node::Table(_)) => {
                if self.problems.len() == before && other.is_known() {
                    let found = crate::matrix::kind_of(&other.preview());
                    self.report(problem::not_text(self.source, text.span, found));
                }
                None
            }
        }
    }

    fn secrets(&mut self) -> BTreeMap<String, SecretSpec> {
        let is_piped = |entry: &SecretEntry| entry.from.value == SecretProvider::Stdin;
        let mut piped = self.pipeline.secrets.iter().filter(|(_, entry)| is_piped(entry));
        if let Some((first, _)) = piped.next() {
            for (name, _) in piped {
                self.report(problem::second_from_stdin(self.source, name, first));
            }
        }
        let spec = |(name, entry): (&At<String>, &SecretEntry)| {
            let text = |text: &Option<At<String>>| text.as_ref().map(|text| text.value.clone());
            let from = match entry.from.value {
                SecretProvider::Env => SecretFrom::Env { name: text(&entry.name)? },
                SecretProvider::File => SecretFrom::File { path: text(&entry.path)? },
                SecretProvider::Store => SecretFrom::Store {
                    name: text(&entry.name).unwrap_or_else(|| name.value.clone()),
                },
                SecretProvider::Stdin => SecretFrom::Stdin,
                SecretProvider::AzureKeyVault => SecretFrom::AzureKeyVault {
                    vault: text(&entry.vault)?,
                    name: text(&entry.name).unwrap_or_else(|| name.value.clone()),
                    version: text(&entry.version),
                    identity: text(&entry.identity).or_else(|| self.only_identity()),
                },
            };
            let only_to = entry.only_to.iter().map(|host| host.value.clone()).collect();
            Some((name.value.clone(), SecretSpec { from, only_to, span: name.span }))
        };
        self.pipeline.secrets.iter().filter_map(spec).collect()
    }

    fn registries(&mut self) -> BTreeMap<String, RegistrySpec> {
        let known: Vec<&str> = self.pipeline.secrets.names().collect();
        let mut registries = BTreeMap::new();
        for (host, entry) in self.pipeline.registries.iter() {
            for (secret, span) in secrets_of(entry) {
                if !known.contains(&secret.secret.as_str()) {
                    let problem =
                        problem::unknown_secret(self.source, span, &secret.secret, &known);
                    self.problems.push(problem);
                }
            }
            if let Some(identity) = &entry.identity {
                self.named_identity(&identity.value, identity.span);
            }
            let spec = RegistrySpec {
                username: entry.username.as_ref().map(|username| username.value.clone()),
                password: entry.password.as_ref().map(|password| password.value.clone()),
                token: entry.token.as_ref().map(|token| token.value.clone()),
                identity: entry.identity.as_ref().map(|identity| identity.value.clone()),
                insecure: entry.insecure.as_ref().is_some_and(|flag| flag.value),
                ca: entry.ca.as_ref().map(|path| path.value.clone()),
                cert: entry.cert.as_ref().map(|path| path.value.clone()),
                key: entry.key.as_ref().map(|path| path.value.clone()),
                span: host.span,
            };
            registries.insert(host.value.clone(), spec);
        }
        registries
    }
}

/// The secrets that a registry refers to.
fn secrets_of(entry: &RegistryEntry) -> impl Iterator<Item = (&SecretRef, Span)> {
    let username = entry.username.as_ref().and_then(|username| match &username.value {
        TextOrSecret::Secret(secret) => Some((secret, username.span)),
        TextOrSecret::Text(_) => None,
    });
    let others = [&entry.password, &entry.token].into_iter().flatten();
    username.into_iter().chain(others.map(|secret| (&secret.value, secret.span)))
}
