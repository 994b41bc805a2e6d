//! What fails, and what that means for the others.

use std::num::NonZeroUsize;

use report::Kind;
use snapbox::{assert_data_eq, str};

use super::{options, plan, plan_with, run};
use crate::{Jitter, OnFailure, Options, Outcome};

const SIDE_BY_SIDE: &str = r#"
    [[step]]
    id = "bad"
    needs = []
    with = { takes-ms = 100, fails = "unauthorized" }
    [[step]]
    id = "beside"
    needs = []
    with = { takes-ms = 300 }
    [[step]]
    id = "after-bad"
    needs = ["bad"]
    [[step]]
    id = "after-beside"
    needs = ["beside"]
    [[step]]
    id = "cleanup"
    needs = ["after-bad", "after-beside"]
    always = true
"#;

#[tokio::test(start_paused = true)]
async fn after_a_failure_nothing_begins_but_what_runs_ends_and_what_always_runs_runs() {
    let account = run(&plan(SIDE_BY_SIDE), &options()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: bad beside after-bad after-beside cleanup
     0 bad started
     0 beside started
   100 bad failed, unauthorized: it was told to fail
   100 run stopping: Failure, cleanup None
   100 after-bad skipped, it needs `bad`, which failed
   300 beside succeeded
   300 after-beside skipped, `bad` failed before it began
   300 cleanup started
   300 cleanup succeeded
   300 run failed, unauthorized

"#]]
    );
    assert_eq!(account.result.exit, Some(Kind::Unauthorized));
    assert_eq!(account.result.outcome, Outcome::Failed);
}

#[tokio::test(start_paused = true)]
async fn who_keeps_going_loses_only_what_needs_the_failure() {
    let keep_going = Options { on_failure: OnFailure::KeepGoing, ..options() };
    let expected = [
        "bad failed",
        "beside succeeded",
        "after-bad skipped",
        "after-beside succeeded",
        "cleanup succeeded",
    ];
    let account = run(&plan(SIDE_BY_SIDE), &keep_going).await;
    assert_eq!(account.outcomes(), expected);
    let planned = plan_with("fail-fast = false", SIDE_BY_SIDE);
    assert_eq!(run(&planned, &options()).await.outcomes(), expected);
    let fail_fast = Options { on_failure: OnFailure::FailFast, ..options() };
    assert_eq!(run(&planned, &fail_fast).await.outcomes()[3], "after-beside skipped");
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_all_that_follow_from_running_to_the_end_of_the_chain() {
    let plan = plan_with(
        "fail-fast = false",
        r#"
        [[step]]
        id = "a"
        with = { fails = "failed" }
        [[step]]
        id = "b"
        when = "false"
        [[step]]
        id = "c"
        "#,
    );
    assert_data_eq!(
        run(&plan, &options()).await.text(),
        str![[r#"
     0 run started: a b c
     0 a started
     0 a failed, failed: it was told to fail
     0 b skipped, it comes after `a`, which failed
     0 c skipped, it comes after `b`, which a failure kept from running
     0 run failed, failed

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn a_tolerated_failure_lets_the_run_succeed_and_who_needs_it_run() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        continue-on-error = true
        with = { fails = "denied" }
        [[step]]
        id = "b"
        with = { echo = "{{ steps.a.outcome }}" }
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: a b
     0 a started
     0 a denied, tolerated, denied: it was told to fail
     0 b started
     0 b succeeded
     0 run succeeded

"#]]
    );
    assert_eq!(super::outputs(&account, "b")["echo"], "denied");
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_in_plan_order_decides_the_exit_even_if_it_came_later() {
    let plan = plan(
        r#"
        [[step]]
        id = "slow"
        needs = []
        with = { takes-ms = 200, fails = "denied" }
        [[step]]
        id = "quick"
        needs = []
        with = { fails = "mismatch" }
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_eq!(account.result.exit, Some(Kind::Denied));
    assert_eq!(account.result.outcome, Outcome::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_transient_failure_is_tried_again_after_a_pause_that_doubles() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        retry = { attempts = 4, on = ["transient"], backoff = "1s" }
        with = { takes-ms = 10, fails = "transient", times = 3, retry = true }
        "#,
    );
    assert_data_eq!(
        run(&plan, &options()).await.text(),
        str![[r#"
     0 run started: a
     0 a started
    10 a attempt 1 of 4 failed, transient: it was told to fail, pause 1000
  1010 a attempt 2
  1020 a attempt 2 of 4 failed, transient: it was told to fail, pause 2000
  3020 a attempt 3
  3030 a attempt 3 of 4 failed, transient: it was told to fail, pause 4000
  7030 a attempt 4
  7040 a succeeded
  7040 run succeeded

"#]]
    );
    let half = Options { jitter: Jitter::Fixed(0.5), ..options() };
    assert_eq!(run(&plan, &half).await.result.record.elapsed_ms, 10 + 510 + 1_010 + 2_010);
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_again_is_what_the_file_names_and_what_the_fault_says_of_itself() {
    let attempts = async |on: &str, fails: &str, retry: bool| {
        let plan = plan(&format!(
            "[[step]]\nid = \"a\"\nretry = {{ attempts = 2, on = [{on}] }}\n\
             with = {{ fails = \"{fails}\", retry = {retry} }}\n"
        ));
        let account = run(&plan, &options()).await;
        account.result.record.steps[0].instances[0].end.clone().unwrap().attempts
    };
    assert_eq!(attempts("\"conflict\"", "conflict", false).await, 2);
    assert_eq!(attempts("\"conflict\"", "invalid", false).await, 1);
    assert_eq!(attempts("\"conflict\"", "failed", true).await, 2);
    assert_eq!(attempts("\"transient\"", "transient", false).await, 2);
    assert_eq!(attempts("\"timeout\"", "cancelled", true).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_panics_fails_its_step_and_no_other() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        needs = []
        with = { panics = true }
        [[step]]
        id = "b"
        needs = []
        with = { takes-ms = 10 }
        "#,
    );
    for jobs in [1, 4] {
        let jobs = NonZeroUsize::new(jobs).unwrap();
        let options = Options { on_failure: OnFailure::KeepGoing, jobs, ..options() };
        let account = run(&plan, &options).await;
        assert_eq!(account.outcomes(), ["a failed", "b succeeded"]);
        let fault = account.result.worst_fault().unwrap();
        assert_eq!(fault.to_string(), "the host broke while it ran the step: the fake broke");
        assert_eq!(account.result.exit, Some(Kind::Internal));
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_that_cannot_be_rendered_fails_the_step_before_it_begins() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        when = "false"
        [[step]]
        id = "b"
        always = true
        with = { echo = "{{ steps.a.outputs.echo.deep }}" }
        [[step]]
        id = "c"
        needs = []
        continue-on-error = true
        when = "steps.a.outputs.echo"
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_eq!(account.outcomes(), ["a skipped", "b failed", "c skipped"]);
    let end = account.result.record.step("b").unwrap().instances[0].end.clone().unwrap();
    assert_eq!(end.attempts, 0);
}
