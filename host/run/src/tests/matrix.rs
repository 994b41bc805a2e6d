//! Steps with more than one instance.

use serde_json::json;
use snapbox::{assert_data_eq, str};

use super::{options, outputs, plan, run};
use crate::{OnFailure, Options};

#[tokio::test(start_paused = true)]
async fn a_matrix_runs_side_by_side_and_its_outputs_are_lists() {
    let plan = plan(
        r#"
        [[step]]
        id = "list"
        with = { echo = ["amd64", "arm64"] }
        [[step]]
        id = "build"
        matrix = { arch = "{{ steps.list.outputs.echo }}", level = [1, 2] }
        with = { takes-ms = 100, echo = "{{ matrix.arch }}-{{ matrix.level }}" }
        [[step]]
        id = "join"
        with = { echo = "{{ steps.build.outputs.echo }}" }
        "#,
    );
    let account = run(&plan, &options()).await;
    assert_data_eq!(
        account.text(),
        str![[r#"
     0 run started: list build join
     0 list started
     0 list succeeded
     0 build[arch=amd64,level=1] started
     0 build[arch=amd64,level=2] started
     0 build[arch=arm64,level=1] started
     0 build[arch=arm64,level=2] started
   100 build[arch=amd64,level=1] succeeded
   100 build[arch=amd64,level=2] succeeded
   100 build[arch=arm64,level=1] succeeded
   100 build[arch=arm64,level=2] succeeded
   100 join started
   100 join succeeded
   100 run succeeded

"#]]
    );
    assert_eq!(
        outputs(&account, "join")["echo"],
        json!(["amd64-1", "amd64-2", "arm64-1", "arm64-2"])
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_matrix_skips_the_step() {
    let plan = plan(
        r#"
        [[step]]
        id = "list"
        with = { echo = [] }
        [[step]]
        id = "build"
        matrix = { arch = "{{ steps.list.outputs.echo }}" }
        "#,
    );
    assert_data_eq!(
        run(&plan, &options()).await.text(),
        str![[r#"
     0 run started: list build
     0 list started
     0 list succeeded
     0 build skipped, its matrix has no combinations
     0 run succeeded

"#]]
    );
}

#[tokio::test(start_paused = true)]
async fn instances_of_a_group_run_one_after_the_other_and_a_failure_keeps_the_rest_from_running() {
    let plan = plan(
        r#"
        [[step]]
        id = "deploy"
        concurrency = "site"
        matrix = { fails = ["", "failed", ""] }
        with = { takes-ms = 100, fails = "{{ matrix.fails }}" }
        [[step]]
        id = "after"
        "#,
    );
    assert_data_eq!(
        run(&plan, &options()).await.text(),
        str![[r#"
     0 run started: deploy after
     0 deploy[fails=] started
   100 deploy[fails=] succeeded
   100 deploy[fails=failed] started
   200 deploy[fails=failed] failed, failed: it was told to fail
   200 run stopping: Failure, cleanup None
   200 deploy[fails=]#2 skipped, `deploy` failed before it began
   200 after skipped, it comes after `deploy`, which failed
   200 run failed, failed

"#]]
    );
    let keep_going = Options { on_failure: OnFailure::KeepGoing, ..options() };
    let account = run(&plan, &keep_going).await;
    assert_eq!(
        account.outcomes(),
        [
            "deploy[fails=] succeeded",
            "deploy[fails=failed] failed",
            "deploy[fails=]#2 succeeded",
            "after skipped"
        ]
    );
}
