use report::Source;
use serde_json::json;

use super::*;
use crate::fixture::Fixture;
use crate::plan::{Plan, StepFacts};
use crate::{Given, RunFacts, parse, plan};

fn planned(steps: &str) -> Plan {
    let text = format!("schema = 1\n[pipeline]\nname = \"x\"\n{steps}");
    let pipeline = parse(&Source::new("p.toml", text)).unwrap();
    plan(&pipeline, &Given::default(), &Fixture).unwrap()
}

const BASE: &str = "[[step]]\nid = \"my-base\"\nuses = \"import-image\"\nwith = { source = \"a\", target = \"b\" }\n";

fn second(rest: &str) -> Plan {
    planned(&format!("{BASE}[[step]]\nid = \"app\"\nuses = \"import-image\"\n{rest}"))
}

fn scope(outputs: Value) -> Scope {
    let facts = StepFacts { outcome: "succeeded".to_owned(), outputs };
    Scope {
        run: RunFacts { id: "r1".to_owned(), ..RunFacts::default() },
        steps: [("my-base".parse().unwrap(), facts)].into(),
        ..Scope::default()
    }
}

#[test]
fn inputs_are_rendered_completed_and_checked() {
    let plan = second(
        "with = { source = \"{{ steps.my_base.outputs.tags }}\", target = \"x:{{ run.id }}\", parallel = \"{{ steps['my-base'].outputs['changed'] }}\" }",
    );
    let step = &plan.steps[1];
    let found = step.resolve(&scope(json!({ "tags": ["a", "b"] }))).unwrap();
    let expect = json!({ "source": ["a", "b"], "target": "x:r1", "force": false, "parallel": 4 });
    assert_eq!(found.inputs, expect);
    assert_eq!(found.grant.oci.pull, ["a", "b"]);

    let fault = step.resolve(&scope(json!({ "tags": [], "changed": "x" }))).unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Invalid, "invalid.inputs"));
    assert_eq!(fault.message, "plugin `import-image` refuses the inputs of `app`");
    assert_eq!(fault.causes[0], "given at p.toml:11:8");
    assert!(fault.causes.contains(&"`parallel` is `\"x\"`, expected a whole number".to_owned()));

    let fault = step.resolve(&scope(json!({ "changed": 1 }))).unwrap_err();
    assert!(fault.causes.contains(&"the input `source` is missing".to_owned()), "{fault}");
}

#[test]
fn a_condition_sees_outputs_and_outcomes() {
    let applies = |when: &str, outputs: Value| {
        let rest = format!("when = '{when}'\nwith = {{ source = \"a\", target = \"b\" }}");
        second(&rest).steps[1].applies(&scope(outputs))
    };
    assert_eq!(applies("steps.my_base.outputs.changed", json!({ "changed": true })), Ok(true));
    assert_eq!(
        applies("{{ steps.my_base.outputs.changed }}", json!({ "changed": false })),
        Ok(false)
    );
    // Declared by the plugin and absent, as after a step that was skipped: null.
    assert_eq!(applies("steps.my_base.outputs.changed", json!({})), Ok(false));
    assert_eq!(applies("steps.my_base.outcome == \"failed\"", json!({})), Ok(false));
    let fault =
        applies("steps.my_base.outputs.tags.first.x == 1", json!({ "tags": {} })).unwrap_err();
    assert_eq!(fault.kind, Kind::Invalid);
    assert!(fault.causes[0].starts_with("p.toml:11:"), "{fault}");
}

#[test]
fn a_matrix_may_come_from_another_step() {
    let with = "with = { source = \"{{ matrix.item }}\", target = \"x\" }";
    let plan = second(&format!("matrix = \"{{{{ steps.my_base.outputs.tags }}}}\"\n{with}"));
    let step = &plan.steps[1];
    let combinations = |tags| step.combinations(&scope(json!({ "tags": tags })));
    let found = combinations(json!(["a", "b"])).unwrap();
    assert_eq!(Value::from_iter(found.clone()), json!([{ "item": "a" }, { "item": "b" }]));
    assert!(combinations(json!([])).unwrap().is_empty());
    assert_eq!(combinations(json!("a")).unwrap_err().code, "invalid.matrix");
    assert_eq!(combinations(Value::from_iter(0..257)).unwrap_err().code, "invalid.matrix");

    let view = step.view(&scope(json!({ "tags": [] })), found.into_iter().nth(1));
    assert_eq!(step.resolve(&view).unwrap().inputs["source"], "b");
}

#[test]
fn a_step_without_a_matrix_has_one_empty_combination() {
    let plan = planned(BASE);
    assert_eq!(plan.steps[0].combinations(&Scope::default()).unwrap(), [Map::new()]);
    assert_eq!(plan.steps[0].applies(&Scope::default()), Ok(true));
}

#[test]
fn outputs_of_a_matrix_step_are_lists() {
    let facts = StepFacts::of_matrix(
        "succeeded",
        &[json!({ "a": 1 }), json!({ "a": 2, "b": 3 }), Value::Null],
    );
    assert_eq!(facts.outputs, json!({ "a": [1, 2, null], "b": [null, 3, null] }));
}

#[test]
fn what_waits_is_shown_as_it_was_written() {
    let plan = second(
        "with = { source = \"{{ steps.my_base.outputs.digest }}\", target = \"x:{{ run.id }}\" }",
    );
    let preview = plan.steps[1].preview();
    assert_eq!(preview.inputs["target"], "x:{{ run.id }}");
    assert_eq!(preview.grant.oci.push, ["x:{{ run.id }}"]);
}
