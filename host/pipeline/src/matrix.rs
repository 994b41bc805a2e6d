//! The combinations that a step runs for.

use std::sync::Arc;

use report::{Fault, Kind};
use serde_json::{Map, Value};

use crate::limits;
use crate::template::{Context, Node};

/// The combinations of a step, before templates that wait for other steps are rendered.
#[derive(Clone, Debug)]
pub struct Matrix(pub(crate) Arc<Form>);

#[derive(Debug)]
pub(crate) enum Form {
    /// One list: its items are `matrix.item`, or `matrix` itself if they are tables.
    List(Node),
    /// Lists by variable. The first variable changes slowest.
    Table { axes: Vec<(String, Node)>, include: Vec<Node>, exclude: Vec<Node> },
}

/// Why a matrix has no combinations to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MatrixError {
    /// What is there instead of a list.
    NotAList(String),
    /// How many there would be.
    TooLarge(usize),
}

impl Matrix {
    /// The names of the variables; `None` if they depend on what a template gives.
    pub(crate) fn variables(form: &Form) -> Option<Vec<String>> {
        match form {
            Form::List(_) => None,
            Form::Table { axes, include, .. } => {
                let added = include.iter().flat_map(|node| {
                    let preview = node.preview();
                    preview.as_object().into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>()
                });
                Some(axes.iter().map(|(name, _)| name.clone()).chain(added).collect())
            }
        }
    }

    /// Each combination, in order; none if a list that a step gave is empty.
    pub(crate) fn combinations(&self, context: &Context) -> Result<Vec<Map<String, Value>>, Fault> {
        let render = |node: &Node| node.render(context);
        let combinations = match &*self.0 {
            Form::List(node) => of_list(render(node)?),
            Form::Table { axes, include, exclude } => {
                let axes = axes
                    .iter()
                    .map(|(name, node)| Ok((name.clone(), render(node)?)))
                    .collect::<Result<Vec<_>, Fault>>()?;
                let include = include.iter().map(render).collect::<Result<Vec<_>, _>>()?;
                let exclude = exclude.iter().map(render).collect::<Result<Vec<_>, _>>()?;
                of_table(&axes, include, &exclude)
            }
        };
        combinations.map_err(|error| error.fault())
    }

    /// The matrix as it is, with templates as they were written.
    pub fn preview(&self) -> Value {
        match &*self.0 {
            Form::List(node) => node.preview(),
            Form::Table { axes, include, exclude } => {
                let list = |nodes: &[Node]| nodes.iter().map(Node::preview).collect::<Value>();
                let mut fields: Map<String, Value> =
                    axes.iter().map(|(name, node)| (name.clone(), node.preview())).collect();
                if !include.is_empty() {
                    fields.insert("include".to_owned(), list(include));
                }
                if !exclude.is_empty() {
                    fields.insert("exclude".to_owned(), list(exclude));
                }
                Value::Object(fields)
            }
        }
    }
}

impl Form {
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        let (list, axes, include, exclude): (_, &[_], &[_], &[_]) = match self {
            Self::List(node) => (Some(node), &[], &[], &[]),
            Self::Table { axes, include, exclude } => (None, axes, include, exclude),
        };
        let axes = axes.iter().map(|(_, node): &(String, Node)| node);
        list.into_iter().chain(axes).chain(include).chain(exclude)
    }
}

pub(crate) fn of_list(value: Value) -> Result<Vec<Map<String, Value>>, MatrixError> {
    let Value::Array(items) = value else {
        return Err(MatrixError::NotAList(kind_of(&value).to_owned()));
    };
    let combination = |item| match item {
        Value::Object(fields) => fields,
        item @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)) => Map::from_iter([("item".to_owned(), item)]),
    };
    bounded(items.into_iter().map(combination).collect())
}

pub(crate) fn of_table(
    axes: &[(String, Value)],
    include: Vec<Value>,
    exclude: &[Value],
) -> Result<Vec<Map<String, Value>>, MatrixError> {
    let mut combinations = if axes.is_empty() { Vec::new() } else { vec![Map::new()] };
    for (name, values) in axes {
        let Value::Array(values) = values else {
            return Err(MatrixError::NotAList(kind_of(values).to_owned()));
        };
        // Counted before it is made: a few short lists multiply to more than memory holds.
        let count = combinations.len().saturating_mul(values.len());
        if count > limits::COMBINATIONS.saturating_mul(limits::COMBINATIONS) {
            return Err(MatrixError::TooLarge(count));
        }
        let extend = |combination: &Map<String, Value>| {
            let combination = combination.clone();
            values
                .iter()
                .map(move |value| {
                    let mut extended = combination.clone();
                    extended.insert(name.clone(), value.clone());
                    extended
                })
                .collect::<Vec<_>>()
        };
        combinations = combinations.iter().flat_map(extend).collect();
    }
    let is_excluded = |combination: &Map<String, Value>| {
        exclude
            .iter()
            .filter_map(Value::as_object)
            .any(|fields| fields.iter().all(|(name, value)| combination.get(name) == Some(value)))
    };
    combinations.retain(|combination| !is_excluded(combination));
    combinations.extend(
        include.into_iter().filter_map(|value| {
            if let Value::Object(fields) = value { Some(fields) } else { None }
        }),
    );
    bounded(combinations)
}

fn bounded(combinations: Vec<Map<String, Value>>) -> Result<Vec<Map<String, Value>>, MatrixError> {
    match combinations.len() {
        many if many > limits::COMBINATIONS => Err(MatrixError::TooLarge(many)),
        _ => Ok(combinations),
    }
}

/// What `value` is, in a sentence.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

impl MatrixError {
    fn fault(&self) -> Fault {
        let limit = limits::COMBINATIONS;
        let message = match self {
            Self::NotAList(found) => format!("the matrix is made of {found}, expected a list"),
            Self::TooLarge(found) => {
                format!("the matrix has {found} combinations, more than {limit}")
            }
        };
        Fault::new(Kind::Invalid, message).code("invalid.matrix")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_variable_changes_slowest() {
        let axes = [("os".to_owned(), json!(["a", "b"])), ("n".to_owned(), json!([1, 2]))];
        let found = of_table(&axes, vec![json!({"os": "c"})], &[json!({"os": "a", "n": 2})]);
        let found = Value::from_iter(found.unwrap());
        let expect =
            json!([{"os": "a", "n": 1}, {"os": "b", "n": 1}, {"os": "b", "n": 2}, {"os": "c"}]);
        assert_eq!(found, expect);
    }

    #[test]
    fn items_of_a_list_are_variables_or_the_item() {
        let found = Value::from_iter(of_list(json!(["x", {"arch": "arm64"}])).unwrap());
        assert_eq!(found, json!([{"item": "x"}, {"arch": "arm64"}]));
        assert_eq!(of_list(json!("x")), Err(MatrixError::NotAList("text".to_owned())));
    }

    #[test]
    fn too_many_combinations_are_counted_before_they_are_made() {
        let axis = |name: &str| (name.to_owned(), Value::from_iter(0..1000));
        let found = of_table(&[axis("a"), axis("b"), axis("c")], Vec::new(), &[]);
        assert_eq!(found, Err(MatrixError::TooLarge(1_000_000)));
        assert_eq!(of_list(json!([])), Ok(Vec::new()));
    }
}
