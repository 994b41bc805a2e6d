//! A step at the moment it starts: whether it runs, how often, and with what.

use std::collections::{BTreeMap, BTreeSet};

use report::{Fault, Kind, Side};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::check::Misfit;
use crate::grant::Grant;
use crate::name::StepId;
use crate::plan::{Resolved, Scope, Step};
use crate::template::{Context, Node, Template};

/// Ways in which outputs are wrong that are told; the first few say it.
const MOST_CAUSES: usize = 8;

/// A step as far as it is known before anything runs; templates that wait are shown as written.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Preview {
    /// The inputs.
    pub inputs: Value,
    /// What the step may do.
    pub grant: Grant,
}

impl Step {
    /// Whether `when` holds; true without one.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the condition cannot be evaluated.
    pub fn applies(&self, scope: &Scope) -> Result<bool, Fault> {
        let Some(condition) = &self.when else { return Ok(true) };
        let text = &condition.0;
        text.holds(&Context::of_step(self, scope)).map_err(|error| text.fault(&error))
    }

    /// The combinations of the matrix, in order; one empty combination without a matrix, none if a
    /// list that another step gave is empty.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if what a template gives is not a list, or has too many items.
    pub fn combinations(&self, scope: &Scope) -> Result<Vec<Map<String, Value>>, Fault> {
        match &self.matrix {
            None => Ok(vec![Map::new()]),
            Some(matrix) => matrix.combinations(&Context::of_step(self, scope)),
        }
    }

    /// The inputs and the grant of one call: templates rendered, defaults filled in, the inputs
    /// held against the plugin's schema.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if a template cannot be rendered, or if the inputs do not fit.
    pub fn resolve(&self, scope: &Scope) -> Result<Resolved, Fault> {
        let context = Context::of_step(self, scope);
        let mut inputs = match self.with.render(&context)? {
            Value::Object(inputs) => inputs,
            // `with` is always a table.
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        };
        self.facts.complete(&mut inputs);
        let grant_context = Context::of_plugin(&self.facts, &inputs);
        self.check(&inputs)?;
        let grant = self.grant.render(&context, &grant_context)?;
        Ok(Resolved { inputs: Value::Object(inputs), grant })
    }

    /// The steps whose results its templates speak of.
    pub fn sees(&self) -> impl Iterator<Item = &StepId> {
        self.sees.keys()
    }

    /// The step with its templates rendered: it waits for nothing any more, so that it can be run
    /// apart from its pipeline.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if a template cannot be rendered.
    pub fn settled(&self, scope: &Scope) -> Result<Self, Fault> {
        let inputs = self.with.render(&Context::of_step(self, scope))?;
        Ok(Self { with: Template(Node::Value(inputs)), sees: BTreeMap::new(), ..self.clone() })
    }

    /// The step as far as it is known before anything runs.
    pub fn preview(&self) -> Preview {
        let mut inputs = match self.with.preview() {
            Value::Object(inputs) => inputs,
            // `with` is always a table.
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        };
        self.facts.complete(&mut inputs);
        let grant = self.grant.preview(&Context::of_plugin(&self.facts, &inputs));
        Preview { inputs: Value::Object(inputs), grant }
    }

    /// Holds what the plugin returned against the schema that it gave for its outputs.
    ///
    /// # Errors
    /// [`Kind::Trap`], code `trap.outputs`: the plugin is broken, whatever the inputs were.
    pub fn check_outputs(&self, outputs: &Value) -> Result<(), Fault> {
        let causes = self.facts.wrong_outputs(outputs);
        if causes.is_empty() {
            return Ok(());
        }
        let message =
            format!("plugin `{}` returned outputs that it does not declare", self.plugin.name);
        let fault = Fault::new(Kind::Trap, message).code("trap.outputs").side(Side::Plugin);
        Err(causes.into_iter().take(MOST_CAUSES).fold(fault, Fault::cause))
    }

    fn check(&self, inputs: &Map<String, Value>) -> Result<(), Fault> {
        let missing =
            self.facts.missing(inputs).map(|name| format!("the input `{name}` is missing"));
        let mut causes: Vec<String> = missing.collect();
        let misfits = self.facts.misfits(&Value::Object(inputs.clone()), &BTreeSet::new());
        causes.extend(misfits.into_iter().map(|Misfit { reason, .. }| reason));
        if causes.is_empty() {
            return Ok(());
        }
        let message = format!("plugin `{}` refuses the inputs of `{}`", self.plugin.name, self.id);
        let fault = Fault::new(Kind::Invalid, message).code("invalid.inputs").side(Side::User);
        let place = self.place.source.locate(self.place.span);
        Err(causes.into_iter().fold(fault.cause(format!("given at {place}")), Fault::cause))
    }
}

#[cfg(test)]
mod tests;
