//! Timeouts, cancellation, cleanup.

use std::time::Duration;

use report::Kind;
use snapbox::{assert_data_eq, str};

use super::{options, plan, plan_with, run, run_until};
use crate::{Outcome, Stop};

const HANGS_WITH_CLEANUP: &str = r#"
    [[step]]
    id = "hangs"
    with = { takes-ms = 100000000 }
    [[step]]
    id = "never"
    [[step]]
    id = "cleanup"
    always = true
    with = { takes-ms = 5000 }
"#;

async fn after(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[tokio::test(start_paused = true)]
async fn a_step_that_outlives_its_timeout_is_dropped() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        timeout = "2s"
        with = { takes-ms = 60000 }
        [[step]]
        id = "b"
        always = true
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: a b
     0 a started
  2000 a timed-out, timeout.step: the step did not end within its timeout of 2s
  2000 run stopping: Failure, cleanup None
  2000 b started
  2000 b succeeded
  2000 run timed-out, timeout

"#]]
    );
    assert_eq!(account.result.exit, Some(Kind::Timeout));
    assert_eq!(account.result.outcome, Outcome::TimedOut);
    assert!(account.result.worst_fault().unwrap().help.as_deref().unwrap().contains("`timeout`"));
}

#[tokio::test(start_paused = true)]
async fn the_timeout_covers_all_attempts_and_no_pause_is_begun_that_would_outlast_it() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        timeout = "4s"
        retry = { attempts = 9, on = ["transient"], backoff = "1s" }
        with = { takes-ms = 500, fails = "transient" }
        "#,
    );
    assert_data_eq!(
        run(&plan, &options()).await.text(),
        str![[r#"
     0 run started: a
     0 a started
   500 a attempt 1 of 9 failed, transient: it was told to fail, pause 1000
  1500 a attempt 2
  2000 a failed, transient: it was told to fail: no time for attempt 3 within the step's timeout of 4s
  2000 run failed, transient

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn when_the_runs_timeout_passes_steps_are_dropped_and_what_always_runs_runs() {
    let account = run(&plan_with("timeout = \"3s\"", HANGS_WITH_CLEANUP), &options()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: hangs never cleanup
     0 hangs started
  3000 run stopping: TimedOut, cleanup Some(60000)
  3000 hangs timed-out, timeout.run: the step had not ended when the run's timeout of 3s passed
  3000 never skipped, the run's timeout of 3s passed before it began
  3000 cleanup started
  8000 cleanup succeeded
  8000 run timed-out, timeout

"#]]
    );
    assert_eq!(account.result.exit, Some(Kind::Timeout));
}

#[tokio::test(start_paused = true)]
async fn who_cancels_drops_what_runs_and_what_always_runs_runs() {
    let stop = Stop::new();
    let meanwhile = async {
        after(1_000).await;
        stop.request();
    };
    let account = run_until(&plan(HANGS_WITH_CLEANUP), &options(), stop.clone(), meanwhile).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: hangs never cleanup
     0 hangs started
  1000 run stopping: Cancelled, cleanup Some(60000)
  1000 hangs cancelled, cancelled: the run was cancelled while the step ran
  1000 never cancelled, the run was cancelled before it began
  1000 cleanup started
  6000 cleanup succeeded
  6000 run cancelled, cancelled

"#]]
    );
    assert_eq!(account.result.exit, Some(Kind::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn who_cancels_twice_ends_the_run_at_once() {
    let stop = Stop::new();
    let meanwhile = async {
        after(1_000).await;
        stop.request();
        after(500).await;
        stop.request();
    };
    let account = run_until(&plan(HANGS_WITH_CLEANUP), &options(), stop.clone(), meanwhile).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: hangs never cleanup
     0 hangs started
  1000 run stopping: Cancelled, cleanup Some(60000)
  1000 hangs cancelled, cancelled: the run was cancelled while the step ran
  1000 never cancelled, the run was cancelled before it began
  1000 cleanup started
  1500 cleanup cancelled, cancelled: the run was cancelled while the step ran
  1500 run cancelled, cancelled

"#]]
    );
    assert_eq!(account.result.outcome, Outcome::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn two_requests_in_one_moment_end_the_run_at_once_and_begin_nothing() {
    let stop = Stop::new();
    let meanwhile = async {
        after(1_000).await;
        stop.request();
        stop.request();
    };
    let account = run_until(&plan(HANGS_WITH_CLEANUP), &options(), stop.clone(), meanwhile).await;
    assert_eq!(account.outcomes(), ["hangs cancelled", "never cancelled", "cleanup cancelled"]);
    assert_eq!(account.result.record.elapsed_ms, 1_000);
}

#[tokio::test(start_paused = true)]
async fn cleanup_that_outlives_its_minute_is_dropped() {
    let stop = Stop::new();
    stop.request();
    let plan = plan(
        r#"
        [[step]]
        id = "work"
        [[step]]
        id = "hangs"
        needs = []
        always = true
        with = { takes-ms = 100000000 }
        [[step]]
        id = "waits"
        needs = ["hangs"]
        always = true
        "#,
    );
    let account = run_until(&plan, &options(), stop, std::future::pending()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: work hangs waits
     0 run stopping: Cancelled, cleanup Some(60000)
     0 work cancelled, the run was cancelled before it began
     0 hangs started
 60000 hangs timed-out, timeout.cleanup: the step did not end within the 1m that a run has for cleanup
 60000 waits skipped, the 1m for cleanup were over before it began
 60000 run cancelled, cancelled

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_attempts_ends_when_somebody_cancels() {
    let plan = plan(
        r#"
        [[step]]
        id = "a"
        retry = { attempts = 3, on = ["transient"], backoff = "30s" }
        with = { fails = "transient" }
        "#,
    );
    let stop = Stop::new();
    let meanwhile = async {
        after(1_000).await;
        stop.request();
    };
    let account = run_until(&plan, &options(), stop.clone(), meanwhile).await;
    assert_eq!(account.outcomes(), ["a cancelled"]);
    assert_eq!(account.result.record.elapsed_ms, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_tolerated_is_not_so_when_a_person_stopped_it() {
    let plan = plan(
        "[[step]]\nid = \"a\"\ncontinue-on-error = true\nwith = { takes-ms = 9000 }\n[[step]]\nid = \"b\"\n",
    );
    let stop = Stop::new();
    let meanwhile = async {
        after(1_000).await;
        stop.request();
    };
    let account = run_until(&plan, &options(), stop.clone(), meanwhile).await;
    assert_eq!(account.outcomes(), ["a cancelled", "b cancelled"]);
}
