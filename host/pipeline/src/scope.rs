//! What templates see, made for the engine: no more than they speak of.
//!
//! A run may have thousands of steps that are done; a template that speaks of two of them sees two.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value as Item;
use serde_json::{Map, Value};

use crate::check::Plugin;
use crate::engine;
use crate::name::StepId;
use crate::plan::{RunFacts, Scope, Step, StepFacts};
use crate::template::Context;

impl Context {
    /// Inputs alone: all that is known when the plan is made.
    pub(crate) fn of_inputs(inputs: &Map<String, Value>) -> Self {
        let inputs = engine::names(engine::names_of(inputs));
        Self(engine::names(BTreeMap::from([("inputs".to_owned(), inputs)])))
    }

    /// The inputs of a plugin, for its requests: what it declares and is not given is null.
    pub(crate) fn of_plugin(plugin: &Plugin, inputs: &Map<String, Value>) -> Self {
        let mut entries = engine::names_of(inputs);
        add_absent(&mut entries, &plugin.inputs());
        let inputs = engine::names(entries);
        Self(engine::names(BTreeMap::from([("inputs".to_owned(), inputs)])))
    }

    /// Everything that the templates of `step` may speak of.
    pub(crate) fn of_step(step: &Step, scope: &Scope) -> Self {
        let mut root = BTreeMap::new();
        let inputs = engine::names(engine::names_of(&scope.inputs));
        root.insert("inputs".to_owned(), inputs);
        root.insert("run".to_owned(), run(&scope.run));
        if let Some(combination) = &scope.matrix {
            root.insert("matrix".to_owned(), engine::names(engine::names_of(combination)));
        }
        root.insert("steps".to_owned(), steps(&step.sees, &scope.steps));
        Self(engine::names(root))
    }
}

impl Step {
    /// The part of `scope` that this step can see, with `matrix` as its combination: cheap to keep,
    /// however many steps are done.
    pub fn view(&self, scope: &Scope, matrix: Option<Map<String, Value>>) -> Scope {
        let seen = |id: &StepId| Some((id.clone(), scope.steps.get(id)?.clone()));
        Scope {
            inputs: scope.inputs.clone(),
            run: scope.run.clone(),
            steps: self.sees.keys().filter_map(seen).collect(),
            matrix,
        }
    }
}

fn run(run: &RunFacts) -> Item {
    let fields = RunFacts::NAMES.iter().zip(run.values());
    engine::names(fields.map(|(name, value)| ((*name).to_owned(), Item::from(value))).collect())
}

fn steps(sees: &BTreeMap<StepId, Arc<Plugin>>, done: &BTreeMap<StepId, StepFacts>) -> Item {
    let entry = |(id, plugin): (&StepId, &Arc<Plugin>)| {
        let facts = done
            .get(id)
            .cloned()
            .unwrap_or_else(|| StepFacts { outcome: "skipped".to_owned(), outputs: Value::Null });
        let mut outputs = facts.outputs.as_object().map(engine::names_of).unwrap_or_default();
        // A step that was skipped or failed has no outputs; what its plugin declares is null then.
        add_absent(&mut outputs, &plugin.outputs());
        let fields = BTreeMap::from([
            ("outcome".to_owned(), Item::from(facts.outcome)),
            ("outputs".to_owned(), engine::names(outputs)),
        ]);
        (id.to_string(), engine::names(fields))
    };
    engine::names(sees.iter().map(entry).collect())
}

fn add_absent(entries: &mut BTreeMap<String, Item>, declared: &[&str]) {
    for name in declared {
        if !entries.contains_key(*name) {
            entries.insert((*name).to_owned(), engine::null());
        }
    }
}
