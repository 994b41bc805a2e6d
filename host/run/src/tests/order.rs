//! What begins when.

use std::num::NonZeroUsize;

use snapbox::{assert_data_eq, str};

use super::{options, outputs, plan, run};
use crate::{OnFailure, Options, Outcome};

#[tokio::test(start_paused = true)]
async fn a_step_begins_when_its_needs_have_finished_and_not_before() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        with = { takes-ms = 100 }
        [[step]]
        id = "b"
        needs = ["a"]
        with = { takes-ms = 300 }
        [[step]]
        id = "c"
        needs = ["a"]
        with = { takes-ms = 200 }
        [[step]]
        id = "d"
        needs = ["b", "c"]
        [[step]]
        id = "e"
        needs = []
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: a b c d e
     0 a started
     0 e started
     0 e succeeded
   100 a succeeded
   100 b started
   100 c started
   300 c succeeded
   400 b succeeded
   400 d started
   400 d succeeded
   400 run succeeded

"#]]
    );
    assert_eq!(account.result.outcome, Outcome::Succeeded);
    assert_eq!((account.result.exit, account.result.worst_fault()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_jobs_run_at_once_and_ready_steps_begin_in_the_order_of_the_plan() {
    let step =
        |id: &str| format!("[[step]]\nid = \"{id}\"\nneeds = []\nwith = {{ takes-ms = 100 }}\n");
    let plan = plan(&["a", "b", "c", "d", "e"].map(step).concat());
    let two = Options { jobs: NonZeroUsize::new(2).unwrap(), ..options() };
    assert_data_eq!(
        run(&plan, &two).await.text(),
        str![[r#"
     0 run started: a b c d e
     0 a started
     0 b started
   100 a succeeded
   100 c started
   100 b succeeded
   100 d started
   200 c succeeded
   200 e started
   200 d succeeded
   300 e succeeded
   300 run succeeded

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn at_most_one_step_of_a_group_runs_at_a_time() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        needs = []
        concurrency = "deploy"
        with = { takes-ms = 100 }
        [[step]]
        id = "b"
        needs = []
        concurrency = "deploy"
        with = { takes-ms = 100, fails = "failed" }
        [[step]]
        id = "c"
        needs = []
        with = { takes-ms = 50 }
        [[step]]
        id = "d"
        needs = []
        concurrency = "deploy"
        with = { takes-ms = 100 }
        "#,
    );
    let keep_going = Options { on_failure: OnFailure::KeepGoing, ..options() };
    assert_data_eq!(
        run(&plan, &keep_going).await.text(),
        str![[r#"
     0 run started: a b c d
     0 a started
     0 c started
    50 c succeeded
   100 a succeeded
   100 b started
   200 b failed, failed: it was told to fail
   200 d started
   300 d succeeded
   300 run failed, failed

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_sees_the_outputs_of_those_it_needs() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        with = { echo = [1, 2] }
        [[step]]
        id = "b"
        with = { echo = "{{ steps.a.outputs.echo }}" }
        [[step]]
        id = "c"
        with = { echo = "{{ steps.a.outcome }} {{ run.id }} {{ run.date }}" }
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_eq!(outputs(&account, "b")["echo"], serde_json::json!([1, 2]));
    assert_eq!(outputs(&account, "c")["echo"], "succeeded run-1 2026-01-31");
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_when_is_false_is_skipped_and_so_is_who_needs_it_unless_it_always_runs() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        when = "false"
        [[step]]
        id = "b"
        needs = ["a"]
        [[step]]
        id = "c"
        needs = ["b"]
        always = true
        [[step]]
        id = "d"
        needs = []
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: a b c d
     0 a skipped, its `when` is false
     0 b skipped, it needs `a`, which was skipped
     0 c started
     0 d started
     0 c succeeded
     0 d succeeded
     0 run succeeded

"#]]
    );
    assert_eq!(account.result.outcome, Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_step_without_needs_runs_although_the_one_before_was_skipped() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        with = { takes-ms = 100 }
        [[step]]
        id = "no"
        when = "false"
        [[step]]
        id = "after-when"
        [[step]]
        id = "nothing-to-do"
        matrix = "{{ steps.a.outputs.echo | default([], true) }}"
        [[step]]
        id = "after-matrix"
        [[step]]
        id = "needs-no"
        needs = ["no"]
        [[step]]
        id = "last"
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: a no after-when nothing-to-do after-matrix needs-no last
     0 a started
   100 a succeeded
   100 no skipped, its `when` is false
   100 after-when started
   100 needs-no skipped, it needs `no`, which was skipped
   100 last started
   100 after-when succeeded
   100 nothing-to-do skipped, its matrix has no combinations
   100 after-matrix started
   100 last succeeded
   100 after-matrix succeeded
   100 run succeeded

"#]]
    );
    assert_eq!(account.result.outcome, Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn only_one_step_runs_without_what_it_needs() {
    let plan = plan("[[step]]\nid = \"a\"\n[[step]]\nid = \"b\"\n[[step]]\nid = \"c\"\n");
    let only = Options { only: Some("b".parse().unwrap()), ..options() };
    assert_data_eq!(
        run(&plan, &only).await.text(),
        str![[r#"
     0 run started: b
     0 b started
     0 b succeeded
     0 run succeeded

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn an_output_that_only_leaves_out_is_named() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        [[step]]
        id = "b"
        with = { echo = "{{ steps.a.outputs.echo }}" }
        "#,
    );
    let only = Options { only: Some("b".parse().unwrap()), ..options() };
    let account = run(&plan, &only).await;
    let fault = account.result.worst_fault().unwrap();
    assert_data_eq!(
        format!("{fault}\n{}\n", fault.help.as_deref().unwrap()),
        str![[r#"
`b` uses outputs of `a`, which `--only` leaves out
leave out `--only`, or write the values into the file in place of the outputs

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_only_runs_nothing_and_says_what_there_is() {
    let plan = plan("[[step]]\nid = \"build\"\n[[step]]\nid = \"deploy\"\n");
    let only = |id: &str| Options { only: Some(id.parse().unwrap()), ..options() };
    let near = run(&plan, &only("biuld")).await.result;
    assert_eq!(near.outcome, Outcome::Failed);
    assert_eq!(near.worst_fault().unwrap().help.as_deref(), Some("did you mean `build`?"));
    let far = run(&plan, &only("x")).await.result;
    assert_eq!(
        far.worst_fault().unwrap().help.as_deref(),
        Some("the steps are `build` and `deploy`")
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_without_steps_succeeds() {
    let mut empty = plan("[[step]]\nid = \"a\"\n");
    empty.steps.clear();
    assert_eq!(run(&empty, &options()).await.result.outcome, Outcome::Succeeded);
}
