//! Thousands of steps. The times are printed for whoever asks (`--no-capture`), and judged by nobody:
//! they belong to the machine.

use super::{Fake, options, plan, run_with};
use crate::{Outcome, Stop};

/// As many as the pipeline with many steps that the benchmarks run.
const MANY: usize = 2_000;

fn measure(what: &str, needs: &str) {
    let steps: String = (0..MANY).map(|i| format!("[[step]]\nid = \"s{i}\"\n{needs}\n")).collect();
    let plan = plan(&steps);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let fake = std::sync::Arc::new(Fake);
    let options = options();
    let run = run_with(fake, &plan, &options, Stop::new(), std::future::pending());
    let account = runtime.block_on(run);
    println!("{MANY} steps {what}: {} ms", account.result.record.elapsed_ms);
    assert_eq!(account.result.record.count(Outcome::Succeeded), MANY);
}

#[test]
fn two_thousand_steps_in_a_row_all_run() {
    measure("in a row", "");
}

#[test]
fn two_thousand_steps_side_by_side_all_run() {
    measure("side by side", "needs = []");
}
