//! One step: its plugin, its inputs, what it needs and what it may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use report::{Diagnostic, Span};
use serde_json::{Map, Value};

use crate::at::At;
use crate::catalog::CatalogError;
use crate::check::Plugin;
use crate::grant::{ExecRule, Grant, GrantTemplate, WrittenGrant};
use crate::matrix::{self, Form, Matrix, MatrixError};
use crate::name::StepId;
use crate::order::{Edge, Why};
use crate::plan::{PluginRef, Retry, Step};
use crate::problem;
use crate::schema::{GrantSpec, MatrixSpec, StepEntry, Tree};
use crate::template::{Condition, Context, Node, Place, Template, shorten};

use super::Planner;
use super::text::{Gathered, Site, Variables, unknown};

/// Why a plugin cannot be used.
#[derive(Clone, Debug)]
pub(super) enum PluginProblem {
    Unknown(CatalogError),
    Broken(String),
}

/// The methods of HTTP that a request can have.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl<'a> Planner<'a> {
    /// The plugin of `entry`; nothing if it cannot be used, which is reported.
    pub(super) fn plugin(&mut self, entry: &'a StepEntry) -> Option<Arc<Plugin>> {
        let uses = &entry.uses;
        if uses.value.starts_with("http://") {
            self.report(problem::plugin_over_http(self.source, uses));
            return None;
        }
        if uses.value.starts_with("https://") && entry.sha256.is_none() {
            self.report(problem::missing_sha256(self.source, uses));
        }
        let catalog = self.catalog;
        let found = self.plugins.entry(&uses.value).or_insert_with(|| {
            let facts = catalog.plugin(&uses.value).map_err(PluginProblem::Unknown)?;
            Plugin::new(facts).map(Arc::new).map_err(PluginProblem::Broken)
        });
        let plugin = match found {
            Ok(plugin) => Arc::clone(plugin),
            Err(PluginProblem::Unknown(error)) => {
                let problem = problem::unknown_plugin(self.source, uses, error);
                self.report(problem);
                return None;
            }
            Err(PluginProblem::Broken(reason)) => {
                let problem = problem::broken_plugin(self.source, uses, reason);
                self.report(problem);
                return None;
            }
        };
        if let Some(sha256) = &entry.sha256 {
            self.digest(sha256, &plugin.facts.digest);
        }
        Some(plugin)
    }

    fn digest(&mut self, sha256: &At<String>, found: &str) {
        let wanted = sha256.value.to_ascii_lowercase();
        if wanted.len() != 64 || !wanted.bytes().all(|b| b.is_ascii_hexdigit()) {
            self.report(problem::wrong_sha256(self.source, sha256));
        } else if found.strip_prefix("sha256:") != Some(&wanted) {
            self.report(problem::sha256_mismatch(self.source, sha256, found));
        }
    }

    /// The step at `index` of the file, and the steps that come before it.
    pub(super) fn step(&mut self, index: usize) -> (Option<Step>, Vec<Edge>) {
        let Some(entry) = self.pipeline.step.get(index) else { return (None, Vec::new()) };
        let mut found = Gathered { edges: self.needs(index, entry), ..Gathered::default() };
        let matrix = entry.matrix.as_ref().map(|spec| self.matrix(index, spec, &mut found));
        let variables = match &matrix {
            None => Variables::NoMatrix,
            Some(form) => Matrix::variables(form).map_or(Variables::Any, Variables::Named),
        };
        let site = Site::Step(index, &variables);
        let when = entry.when.as_ref().and_then(|when| self.condition(when, &site, &mut found));
        let with = entry.with.as_ref().map(|tree| self.node(tree, &site, &mut found));
        let with = with.unwrap_or_else(|| Node::Value(Value::Object(Map::new())));
        let written = entry.grant.as_ref().map(|grant| self.grant(entry, grant, &site, &mut found));
        let concurrency = entry.concurrency.as_ref().and_then(|group| self.group(group));
        let plugin = self.uses.get(index).cloned().flatten();
        let (Some(plugin), Some(id)) = (plugin, self.ids.get(index).cloned()) else {
            return (None, found.edges);
        };
        let (needs, follows) = self.predecessors(&found.edges);
        let step = Step {
            needs,
            follows,
            when: when.map(Condition),
            matrix: matrix.map(|form| Matrix(Arc::new(form))),
            concurrency,
            sees: found.sees,
            ..self.alone(entry, id, plugin, with, written)
        };
        (Some(step), found.edges)
    }

    /// The step that a trigger looks with, which is none of the file's steps: it may speak of what
    /// these gave when they last ran.
    pub(super) fn look(&mut self, entry: &'a StepEntry, id: StepId) -> Option<Step> {
        let plugin = self.plugin(entry)?;
        let mut found = Gathered::default();
        let with = entry.with.as_ref().map(|tree| self.node(tree, &Site::Look, &mut found));
        let with = with.unwrap_or_else(|| Node::Value(Value::Object(Map::new())));
        Some(Step { sees: found.sees, ..self.alone(entry, id, plugin, with, None) })
    }

    /// A step as far as it does not depend on others; its inputs are held against the schema.
    fn alone(
        &mut self,
        entry: &StepEntry,
        id: StepId,
        plugin: Arc<Plugin>,
        with: Node,
        written: Option<WrittenGrant>,
    ) -> Step {
        self.inputs_of(entry, &plugin, &with);
        let grant = match written {
            Some(written) => GrantTemplate::Written(Arc::new(written)),
            None if plugin.facts.builtin => GrantTemplate::Requested(Arc::clone(&plugin.requests)),
            None => GrantTemplate::Written(Arc::default()),
        };
        if entry.grant.is_none() && with.is_known() {
            self.requested_secrets(entry, &plugin, &grant, &with);
        }
        let flag = |flag: &Option<At<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
        let span = entry.with.as_ref().map_or(entry.uses.span, |with| with.span);
        Step {
            id,
            name: entry.name.as_ref().map(|name| name.value.clone()),
            span: entry.span,
            plugin: reference(&entry.uses.value, &plugin),
            needs: Vec::new(),
            follows: None,
            when: None,
            matrix: None,
            with: Template(with),
            grant,
            retry: retry(entry),
            timeout: entry.timeout.as_ref().map(|timeout| timeout.value),
            continue_on_error: flag(&entry.continue_on_error),
            always: flag(&entry.always),
            dry_run: flag(&entry.dry_run),
            concurrency: None,
            facts: plugin,
            place: Place { source: self.source.clone(), span },
            sees: BTreeMap::new(),
        }
    }

    /// The steps that are needed, each once, and the one that is only followed.
    fn predecessors(&self, edges: &[Edge]) -> (Vec<StepId>, Option<StepId>) {
        let mut needs: Vec<StepId> = Vec::new();
        let (follows, needed): (Vec<&Edge>, Vec<&Edge>) =
            edges.iter().partition(|edge| edge.why == Why::Follows);
        for need in needed.into_iter().filter_map(|edge| self.ids.get(edge.to)) {
            if !needs.contains(need) {
                needs.push(need.clone());
            }
        }
        let follows = follows.first().and_then(|edge| self.ids.get(edge.to));
        let follows = follows.filter(|before| !needs.contains(before)).cloned();
        (needs, follows)
    }

    /// The steps that `needs` names, or the one before.
    fn needs(&mut self, index: usize, entry: &StepEntry) -> Vec<Edge> {
        let Some(needs) = &entry.needs else {
            let before =
                index.checked_sub(1).map(|to| Edge { to, span: entry.span, why: Why::Follows });
            return before.into_iter().collect();
        };
        let mut edges = Vec::new();
        for need in &needs.value {
            match self.index.get(need.value.as_str()) {
                Some(&to) if to == index => {
                    self.report(problem::needs_itself(self.source, need.span, &entry.id.value));
                }
                Some(&to) => edges.push(Edge { to, span: need.span, why: Why::Needs }),
                None => {
                    let known: Vec<&str> = self.index.keys().copied().collect();
                    self.report(problem::unknown_need(self.source, need, &known));
                }
            }
        }
        edges
    }

    fn matrix(&mut self, index: usize, spec: &At<MatrixSpec>, found: &mut Gathered) -> Form {
        let site = Site::Matrix(index);
        let before = self.problems.len();
        let form = match &spec.value {
            MatrixSpec::List(text) => Form::List(self.text(text, spec.span, &site, found)),
            MatrixSpec::Table(table) => {
                let names: Vec<&str> = table.axes.names().collect();
                for exclude in &table.exclude {
                    let Tree::Table(fields) = &exclude.value else { continue };
                    for (name, _) in
                        fields.iter().filter(|(name, _)| !names.contains(&name.value.as_str()))
                    {
                        self.report(problem::unknown_excluded(self.source, name, &names));
                    }
                }
                let axes = table.axes.iter();
                let axes: Vec<(String, Node)> = axes
                    .map(|(name, tree)| (name.value.clone(), self.node(tree, &site, found)))
                    .collect();
                let mut nodes = |trees: &[At<Tree>]| -> Vec<Node> {
                    trees.iter().map(|tree| self.node(tree, &site, found)).collect()
                };
                Form::Table { axes, include: nodes(&table.include), exclude: nodes(&table.exclude) }
            }
        };
        if self.problems.len() == before {
            self.combinations(spec, &form);
        }
        form
    }

    /// Checks what is known of the combinations.
    fn combinations(&mut self, spec: &At<MatrixSpec>, form: &Form) {
        let combinations = match form {
            Form::List(Node::Value(list)) => matrix::of_list(list.clone()),
            Form::Table { axes, include, exclude } if form.nodes().all(Node::is_known) => {
                let preview = |nodes: &[Node]| nodes.iter().map(Node::preview).collect::<Vec<_>>();
                let axes: Vec<_> =
                    axes.iter().map(|(name, node)| (name.clone(), node.preview())).collect();
                matrix::of_table(&axes, preview(include), &preview(exclude))
            }
            Form::List(_) | Form::Table { .. } => return,
        };
        // A list that comes from an input may be empty: then the step has nothing to do.
        let raw = self.source.text().get(spec.span.start..spec.span.end).unwrap_or_default();
        let problem = match combinations {
            Err(MatrixError::NotAList(found)) => {
                problem::matrix_not_a_list(self.source, spec.span, &found)
            }
            Err(MatrixError::TooLarge(found)) => {
                problem::matrix_too_large(self.source, spec.span, found)
            }
            Ok(list) if list.is_empty() && !raw.contains("{{") => {
                problem::matrix_empty(self.source, spec.span)
            }
            Ok(_) => return,
        };
        self.report(problem);
    }

    /// Holds what is known of the inputs against the plugin's schema.
    fn inputs_of(&mut self, entry: &StepEntry, plugin: &Plugin, with: &Node) {
        let name = &plugin.facts.name;
        let known = plugin.inputs();
        let tree = entry.with.as_ref();
        if let (Some(Tree::Table(fields)), false) =
            (tree.map(|tree| &tree.value), plugin.allows_any_input())
        {
            for (key, _) in fields.iter().filter(|(key, _)| !known.contains(&key.value.as_str())) {
                self.report(problem::unknown_plugin_input(self.source, key, name, &known));
            }
        }
        let Value::Object(mut inputs) = with.preview() else { return };
        plugin.complete(&mut inputs);
        for input in plugin.missing(&inputs) {
            let description = plugin.input_description(input);
            let at = entry.uses.span;
            self.problems.push(problem::missing_plugin_input(
                self.source,
                at,
                name,
                input,
                description,
            ));
        }
        for misfit in plugin.misfits(&Value::Object(inputs.clone()), &unknown(with)) {
            let place = tree.map(|tree| locate(tree, &misfit.pointer));
            let at = place.map_or(entry.uses.span, |place| place.span);
            let rendered =
                place.filter(|place| matches!(&place.value, Tree::Text(t) if t.contains("{{")));
            let value = rendered.and_then(|_| with.preview().pointer(&misfit.pointer).cloned());
            let value = value.map(|value| shorten(&value.to_string()));
            let (reason, help) = (&misfit.reason, misfit.help);
            self.report(problem::invalid_plugin_input(self.source, at, name, reason, help, value));
        }
    }

    fn grant(
        &mut self,
        entry: &StepEntry,
        grant: &At<GrantSpec>,
        site: &Site<'_>,
        found: &mut Gathered,
    ) -> WrittenGrant {
        let GrantSpec { http, identity, secrets, oci, state, workspace, exec } = &grant.value;
        let mut rules = Vec::new();
        for rule in http {
            let url = self.text(&rule.url.value, rule.url.span, site, found);
            if let Node::Value(Value::String(text)) = &url
                && !text.starts_with("https://")
                && !text.starts_with("http://")
            {
                self.report(problem::granted_url(self.source, rule.url.span, text));
            }
            for method in rule.methods.iter().filter(|method| !METHODS.contains(&&*method.value)) {
                self.report(problem::granted_method(self.source, method, &METHODS));
            }
            let methods = rule.methods.iter().map(|method| method.value.clone()).collect();
            rules.push((url, methods, rule.private.as_ref().is_some_and(|flag| flag.value)));
        }
        let lists: [(&'static str, &[At<String>]); 9] = [
            ("identity", identity),
            ("secrets.use", &secrets.use_),
            ("secrets.reveal", &secrets.reveal),
            ("secrets.write", &secrets.write),
            ("oci.pull", &oci.pull),
            ("oci.push", &oci.push),
            ("oci.delete", &oci.delete),
            ("workspace.read", &workspace.read),
            ("workspace.write", &workspace.write),
        ];
        let mut written = Vec::new();
        for (key, texts) in lists.into_iter().filter(|(_, texts)| !texts.is_empty()) {
            let mut nodes = Vec::new();
            for text in texts {
                let node = self.text(&text.value, text.span, site, found);
                if let (true, Node::Value(Value::String(secret))) =
                    (key.starts_with("secrets"), &node)
                {
                    self.granted_secret(entry, secret, text.span);
                }
                if let ("identity", Node::Value(Value::String(identity))) = (key, &node) {
                    self.named_identity(identity, text.span);
                }
                nodes.push(node);
            }
            written.push((key, nodes));
        }
        let is_on = |flag: &Option<At<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
        let exec = ExecRule { run: is_on(&exec.run), network: is_on(&exec.network) };
        WrittenGrant { http: rules, lists: written, state: is_on(state), exec }
    }

    fn requested_secrets(
        &mut self,
        entry: &StepEntry,
        plugin: &Plugin,
        grant: &GrantTemplate,
        with: &Node,
    ) {
        let Value::Object(mut inputs) = with.preview() else { return };
        plugin.complete(&mut inputs);
        let context = Context::of_plugin(plugin, &inputs);
        match grant.render(&self.context, &context) {
            Ok(Grant { secrets, identity, .. }) => {
                let with = entry.with.as_ref();
                for identity in &identity {
                    let place = with.and_then(|with| place_of_text(with, identity));
                    self.named_identity(identity, place.unwrap_or(entry.uses.span));
                }
                for secret in secrets.use_.iter().chain(&secrets.reveal).chain(&secrets.write) {
                    self.granted_secret(
                        entry,
                        secret,
                        entry.with.as_ref().map_or(entry.uses.span, |with| {
                            place_of_text(with, secret).unwrap_or(entry.uses.span)
                        }),
                    );
                }
            }
            // Inputs that do not fit are reported; what is left is the plugin's own mistake.
            Err(fault) if self.problems.is_empty() => {
                let reason = fault.to_string();
                self.report(problem::broken_plugin(self.source, &entry.uses, &reason));
            }
            Err(_) => {}
        }
    }

    fn granted_secret(&mut self, entry: &StepEntry, secret: &str, span: Span) {
        if self.pipeline.secrets.find(secret).is_some() {
            return;
        }
        let known: Vec<&str> = self.pipeline.secrets.names().collect();
        let step = &entry.id.value;
        let warning: Diagnostic =
            problem::granted_secret_unknown(self.source, span, secret, step, &known);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

fn reference(uses: &str, plugin: &Plugin) -> PluginRef {
    let facts = &plugin.facts;
    PluginRef {
        uses: uses.to_owned(),
        name: facts.name.clone(),
        version: facts.version.clone(),
        digest: facts.digest.clone(),
        builtin: facts.builtin,
    }
}

fn retry(entry: &StepEntry) -> Retry {
    let Some(spec) = &entry.retry else { return Retry::default() };
    let usual = Retry::default();
    let attempts = spec.attempts.as_ref().and_then(|attempts| u32::try_from(attempts.value).ok());
    let on = spec.on.as_ref().map(|kinds| kinds.iter().map(|kind| kind.value).collect());
    Retry {
        attempts: attempts.unwrap_or(usual.attempts),
        on: on.unwrap_or(usual.on),
        backoff: spec.backoff.as_ref().map_or(usual.backoff, |backoff| backoff.value),
    }
}

/// What stands at the JSON pointer, or the nearest thing around it.
fn locate<'t>(tree: &'t At<Tree>, pointer: &str) -> &'t At<Tree> {
    let mut at = tree;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let next = match &at.value {
            Tree::Table(entries) => entries.find(&part),
            Tree::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            Tree::Boolean(_) | Tree::Integer(_) | Tree::Float(_) | Tree::Text(_) => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

/// Where `text` stands literally in `tree`.
fn place_of_text(tree: &At<Tree>, text: &str) -> Option<Span> {
    match &tree.value {
        Tree::Text(found) => (found == text).then_some(tree.span),
        Tree::List(items) => items.iter().find_map(|item| place_of_text(item, text)),
        Tree::Table(entries) => entries.iter().find_map(|(_, item)| place_of_text(item, text)),
        Tree::Boolean(_) | Tree::Integer(_) | Tree::Float(_) => None,
    }
}
