//! A run that takes results of an earlier one.

use std::{collections::BTreeMap, sync::Arc};

use pipeline::PluginRef;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use super::{Account, options, plan, run};
use crate::{Earlier, Instance, Options, Reuse, Status, StepOutcome};

/// Knows outputs of instances, whatever they are given.
struct Known(BTreeMap<&'static str, Value>);

impl Earlier for Known {
    fn run(&self) -> &'static str {
        "run-0"
    }

    fn outcome(&self, instance: &Instance, _: &PluginRef, _: &Value) -> Option<StepOutcome> {
        let outputs = self.0.get(instance.as_str())?.clone();
        Some(StepOutcome { status: Status::Unchanged, outputs, summary: None })
    }
}

async fn again<const N: usize>(known: [(&'static str, Value); N], steps: &str) -> Account {
    let earlier = Some(Reuse(Arc::new(Known(known.into()))));
    run(&plan(steps), &Options { earlier, ..options() }).await
}

fn echo(text: &str) -> Value {
    json!({ "echo": text })
}

#[tokio::test(start_paused = true)]
async fn what_is_known_does_not_begin_and_gives_its_outputs_to_others() {
    let account = again(
        [("a", echo("of old")), ("b", echo("also"))],
        r#"
        [[step]]
        id = "a"
        with = { takes-ms = 100 }
        [[step]]
        id = "b"
        needs = ["a"]
        with = { takes-ms = 100 }
        [[step]]
        id = "c"
        needs = ["b"]
        with = { takes-ms = 1, echo = "{{ steps.a.outputs.echo }}" }
        "#,
    )
    .await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: a b c
     0 a succeeded
     0 b succeeded
     0 c started
     1 c succeeded
     1 run succeeded

"#]]
    );
    let end = |id: &str| account.result.record.step(id).unwrap().instances[0].end.clone().unwrap();
    assert_eq!(end("c").outputs, echo("of old"));
    assert_eq!(end("b").reused.as_deref(), Some("run-0"));
    assert_eq!((end("b").attempts, end("c").reused), (0, None));
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_step_that_begins_begins_too_even_past_one_that_is_skipped() {
    let account = again(
        [("b", echo("b")), ("d", echo("d")), ("apart", echo("apart"))],
        r#"
        [[step]]
        id = "a"
        [[step]]
        id = "b"
        [[step]]
        id = "c"
        when = "false"
        [[step]]
        id = "d"
        [[step]]
        id = "apart"
        needs = []
        "#,
    )
    .await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: a b c d apart
     0 a started
     0 apart succeeded
     0 a succeeded
     0 b started
     0 b succeeded
     0 c skipped, its `when` is false
     0 d started
     0 d succeeded
     0 run succeeded

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn steps_that_clean_up_or_only_look_begin_in_any_case() {
    let account = again(
        [("a", echo("a")), ("look", echo("look")), ("clean", echo("clean"))],
        r#"
        [[step]]
        id = "a"
        [[step]]
        id = "look"
        needs = []
        dry-run = true
        [[step]]
        id = "clean"
        needs = ["a"]
        always = true
        "#,
    )
    .await;
    let began = |line: &&str| line.ends_with(" started");
    let text = account.text();
    let mut all: Vec<&str> = text.lines().filter(began).map(|line| line.trim_start()).collect();
    all.sort_unstable();
    assert_eq!(all, ["0 clean started", "0 look started"]);
}

#[tokio::test(start_paused = true)]
async fn outputs_that_the_plugin_would_not_give_now_are_not_taken() {
    let account = again(
        [("a", json!("no object"))],
        r#"
        [[step]]
        id = "a"
        "#,
    )
    .await;
    assert!(account.text().contains("a started"), "{}", account.text());
}
