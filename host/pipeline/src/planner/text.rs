//! One string of the file: compiled, its names looked up, rendered if all is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use report::Span;
use serde_json::Value;

use crate::at::At;
use crate::check::Plugin;
use crate::name::{StepId, means};
use crate::order::{Edge, Why};
use crate::plan::RunFacts;
use crate::reference::{Path, References};
use crate::schema::Tree;
use crate::template::{Node, Place, Text};
use crate::{engine, problem};

use super::Planner;

/// Where a template stands, which decides what it may speak of.
pub(super) enum Site<'s> {
    /// Decided before anything runs: inputs alone.
    BeforeRun,
    /// In `matrix` of the step with this index.
    Matrix(usize),
    /// Anywhere else in the step; with the variables of its matrix.
    Step(usize, &'s Variables),
    /// In a trigger: inputs, and what steps gave when they last ran.
    Look,
}

impl Site<'_> {
    /// The step that it is in.
    fn own(&self) -> Option<usize> {
        match self {
            Self::BeforeRun | Self::Look => None,
            Self::Matrix(own) | Self::Step(own, _) => Some(*own),
        }
    }
}

/// What is known of `matrix` in a step's templates.
#[derive(Debug)]
pub(super) enum Variables {
    NoMatrix,
    /// A list gives the names when it is known.
    Any,
    Named(Vec<String>),
}

/// What the templates of a step speak of.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) edges: Vec<Edge>,
    pub(super) sees: BTreeMap<StepId, Arc<Plugin>>,
}

/// Whether a template can be rendered now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Known,
    Waits,
    Wrong,
}

const ROOTS: [&str; 4] = ["inputs", "matrix", "run", "steps"];

impl Planner<'_> {
    /// `tree` with its strings compiled, and rendered where all is known.
    pub(super) fn node(&mut self, tree: &At<Tree>, site: &Site<'_>, found: &mut Gathered) -> Node {
        let node = match &tree.value {
            Tree::Text(text) => return self.text(text, tree.span, site, found),
            Tree::List(items) => {
                Node::List(items.iter().map(|item| self.node(item, site, found)).collect())
            }
            Tree::Table(entries) => Node::Table(
                entries
                    .iter()
                    .map(|(key, item)| (key.value.clone(), self.node(item, site, found)))
                    .collect(),
            ),
            Tree::Boolean(_) | Tree::Integer(_) | Tree::Float(_) => {
                Node::Value(tree.value.to_json())
            }
        };
        node.folded()
    }

    /// `text`, which stands at `span`: a value if all is known, a template if not, or if a problem
    /// with it is reported.
    pub(super) fn text(
        &mut self,
        text: &str,
        span: Span,
        site: &Site<'_>,
        found: &mut Gathered,
    ) -> Node {
        if !text.contains('{') {
            return Node::Value(Value::String(text.to_owned()));
        }
        let place = Place { source: self.source.clone(), span };
        let compiled = match Text::compile(text, place.clone()) {
            Ok(compiled) => compiled,
            Err(error) => {
                let at = place.within(text, error.range);
                self.report(problem::bad_template(self.source, at, "a template", &error.reason));
                return Node::Text(Arc::new(Text::literal(text, place)));
            }
        };
        if self.judge(&compiled, site, found) == Verdict::Known {
            match compiled.evaluate(&self.context) {
                Ok(value) => return Node::Value(value),
                Err(error) => {
                    let at = compiled.span_of(error.range);
                    self.report(problem::cannot_render(self.source, at, &error.reason));
                }
            }
        }
        Node::Text(Arc::new(compiled))
    }

    /// The expression `text` as a condition.
    pub(super) fn condition(
        &mut self,
        text: &At<String>,
        site: &Site<'_>,
        found: &mut Gathered,
    ) -> Option<Arc<Text>> {
        let place = Place { source: self.source.clone(), span: text.span };
        let compiled = match Text::compile_condition(&text.value, place.clone()) {
            Ok(compiled) => compiled,
            Err(error) => {
                let at = place.within(&text.value, error.range);
                self.report(problem::bad_template(self.source, at, "a condition", &error.reason));
                return None;
            }
        };
        if self.judge(&compiled, site, found) == Verdict::Known
            && let Err(error) = compiled.holds(&self.context)
        {
            let at = compiled.span_of(error.range);
            self.report(problem::cannot_render(self.source, at, &error.reason));
        }
        Some(Arc::new(compiled))
    }

    /// Looks up every name that `text` speaks of.
    fn judge(&mut self, text: &Text, site: &Site<'_>, found: &mut Gathered) -> Verdict {
        let References { paths, filters, tests, has_blocks, links: _ } = text.references();
        let undeclared = has_blocks.then(|| engine::undeclared(&text.text));
        let is_variable =
            |path: &Path| undeclared.as_ref().is_none_or(|names| names.contains(path.root()));
        let mut verdict = Verdict::Known;
        // A name with a dash reads as two paths; the second is no problem of its own.
        let mut read_up_to = 0;
        for path in paths.iter().filter(|path| is_variable(path)) {
            if path.whole().start < read_up_to {
                continue;
            }
            verdict = match self.look_up(path, text, site, found) {
                Ok(next) if verdict != Verdict::Wrong => worse(verdict, next),
                Ok(_) => verdict,
                Err(end) => {
                    read_up_to = end;
                    Verdict::Wrong
                }
            };
        }
        for (what, (name, range)) in filters
            .iter()
            .map(|word| ("filter", word))
            .chain(tests.iter().map(|word| ("test", word)))
        {
            if !self.has_word(what, name) {
                let at = text.span_of(Some(range.clone()));
                self.report(problem::unknown_filter(self.source, at, what, name));
                verdict = Verdict::Wrong;
            }
        }
        verdict
    }

    fn has_word(&mut self, what: &'static str, name: &str) -> bool {
        let has = if what == "filter" { engine::has_filter } else { engine::has_test };
        *self.words.entry((what, name.to_owned())).or_insert_with(|| has(name))
    }

    /// One path; the error is where in the text what it is about ends.
    fn look_up(
        &mut self,
        path: &Path,
        text: &Text,
        site: &Site<'_>,
        found: &mut Gathered,
    ) -> Result<Verdict, usize> {
        let whole = text.span_of(Some(path.whole()));
        let end = path.whole().end;
        let root = path.root();
        if matches!(site, Site::BeforeRun) && matches!(root, "steps" | "run" | "matrix") {
            self.report(problem::not_known_yet(self.source, whole, root, "`inputs`"));
            return Err(end);
        }
        if matches!(site, Site::Look) && matches!(root, "run" | "matrix") {
            self.report(problem::not_known_yet(self.source, whole, root, "`inputs` and `steps`"));
            return Err(end);
        }
        match root {
            "inputs" => self.input(path, text),
            "steps" => self.other_step(path, text, site, found),
            "run" => match path.name(1) {
                None => Ok(Verdict::Waits),
                Some(field) if RunFacts::NAMES.contains(&field) => Ok(Verdict::Waits),
                Some(field) => {
                    let at = text.span_of(Some(path.range(1)));
                    self.report(problem::unknown_run_field(self.source, at, field));
                    Err(end)
                }
            },
            "matrix" => self.variable(path, text, site),
            "secrets" => {
                self.report(problem::secret_in_template(self.source, whole, path.name(1)));
                Err(end)
            }
            _ if engine::functions().iter().any(|name| name == root) => Ok(Verdict::Known),
            _ => {
                let at = text.span_of(Some(path.range(0)));
                self.report(problem::unknown_name(self.source, at, root, &ROOTS));
                Err(end)
            }
        }
    }

    fn input(&mut self, path: &Path, text: &Text) -> Result<Verdict, usize> {
        let Some(name) = path.name(1) else {
            let is_known = self.inputs.failed.is_empty();
            return Ok(if is_known { Verdict::Known } else { Verdict::Waits });
        };
        let known: Vec<&str> = self.pipeline.inputs.names().collect();
        if let Some(input) = known.iter().find(|known| means(name, known)) {
            let is_failed = self.inputs.failed.contains(*input);
            return Ok(if is_failed { Verdict::Waits } else { Verdict::Known });
        }
        if let Some(end) = self.dash(path, 1, text, &known) {
            return Err(end);
        }
        let at = text.span_of(Some(path.range(1)));
        self.report(problem::unknown_input(self.source, at, name, &known));
        Err(path.whole().end)
    }

    fn other_step(
        &mut self,
        path: &Path,
        text: &Text,
        site: &Site<'_>,
        found: &mut Gathered,
    ) -> Result<Verdict, usize> {
        let end = path.whole().end;
        let whole = text.span_of(Some(path.whole()));
        let Some(name) = path.name(1) else {
            self.report(problem::computed_step(self.source, whole));
            return Err(end);
        };
        let dashed = name.replace('_', "-");
        let Some(&to) = self.index.get(name).or_else(|| self.index.get(dashed.as_str())) else {
            let known: Vec<&str> = self.index.keys().copied().collect();
            if let Some(end) = self.dash(path, 1, text, &known) {
                return Err(end);
            }
            let at = text.span_of(Some(path.range(1)));
            self.report(problem::unknown_step(self.source, at, name, &known));
            return Err(end);
        };
        if site.own() == Some(to) {
            self.report(problem::own_output(self.source, whole, name));
            return Err(end);
        }
        found.edges.push(Edge { to, span: whole, why: Why::RefersTo });
        let (Some(plugin), Some(id)) = (self.uses.get(to).cloned().flatten(), self.ids.get(to))
        else {
            // The plugin's own problem is reported.
            return Ok(Verdict::Waits);
        };
        let id = id.clone();
        let verdict = self.step_field(path, text, &id, &plugin);
        found.sees.insert(id, plugin);
        verdict
    }

    /// What comes after `steps.x`.
    fn step_field(
        &mut self,
        path: &Path,
        text: &Text,
        id: &StepId,
        plugin: &Plugin,
    ) -> Result<Verdict, usize> {
        match path.name(2) {
            None | Some("outcome") => return Ok(Verdict::Waits),
            Some("outputs") => {}
            Some(field) => {
                let at = text.span_of(Some(path.range(2)));
                self.report(problem::unknown_step_field(self.source, at, id.as_str(), field));
                return Err(path.whole().end);
            }
        }
        let known = plugin.outputs();
        match path.name(3) {
            Some(output)
                if !plugin.allows_any_output() && !known.iter().any(|name| means(output, name)) =>
            {
                if let Some(end) = self.dash(path, 3, text, &known) {
                    return Err(end);
                }
                let at = text.span_of(Some(path.range(3)));
                let plugin = &plugin.facts.name;
                self.report(problem::unknown_output(self.source, at, plugin, output, &known));
                Err(path.whole().end)
            }
            _ => Ok(Verdict::Waits),
        }
    }

    fn variable(&mut self, path: &Path, text: &Text, site: &Site<'_>) -> Result<Verdict, usize> {
        let whole = text.span_of(Some(path.whole()));
        let end = path.whole().end;
        let Site::Step(own, variables) = site else {
            let allowed = "`inputs`, `run` and `steps`";
            self.report(problem::not_known_yet(self.source, whole, "matrix", allowed));
            return Err(end);
        };
        match (variables, path.name(1)) {
            (Variables::NoMatrix, _) => {
                let step = self.ids.get(*own).map(ToString::to_string).unwrap_or_default();
                self.report(problem::no_matrix(self.source, whole, &step));
                Err(end)
            }
            (Variables::Named(names), Some(name))
                if !names.iter().any(|known| means(name, known)) =>
            {
                let known: Vec<&str> = names.iter().map(String::as_str).collect();
                if let Some(end) = self.dash(path, 1, text, &known) {
                    return Err(end);
                }
                let at = text.span_of(Some(path.range(1)));
                self.report(problem::unknown_variable(self.source, at, name, &known));
                Err(end)
            }
            _ => Ok(Verdict::Waits),
        }
    }

    /// Whether the name at `index` of `path` goes on, after a dash, as one of `known`; reports it
    /// and gives where that name ends.
    fn dash(&mut self, path: &Path, index: usize, text: &Text, known: &[&str]) -> Option<usize> {
        let start = path.range(index).start;
        let rest = text.text.get(start..).unwrap_or_default();
        let name =
            known.iter().filter(|name| name.contains('-') && rest.starts_with(**name)).max()?;
        let parent: Vec<&str> =
            path.segments.iter().take(index).map(|(name, _)| name.as_str()).collect();
        let end = start + name.len();
        let at = text.span_of(Some(path.whole().start..end));
        self.report(problem::dash_in_path(self.source, at, &parent.join("."), name));
        // What follows the name, up to the next thing that is no part of a path.
        let tail = rest.get(name.len()..).unwrap_or_default();
        let more = tail.find(|c: char| c != '.' && c != '_' && !c.is_alphanumeric());
        Some(end + more.unwrap_or(tail.len()))
    }
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    if a == Verdict::Known { b } else { a }
}

/// The JSON pointers of what waits in `node`.
pub(super) fn unknown(node: &Node) -> BTreeSet<String> {
    let mut pointers = BTreeSet::new();
    node.each_text("", &mut |pointer, _| {
        pointers.insert(pointer.to_owned());
    });
    pointers
}
