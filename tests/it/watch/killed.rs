//! Watchers that are killed, at any moment.

use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Access, DockerRegistry, Signal, poll};

use super::{node, on_images, push, runs, watching};

/// Updates, each with a watcher that is killed.
const UPDATES: usize = 20;

#[test]
fn there_is_a_run_for_each_update_however_watchers_end() {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 0);
    let host = watching(&on_images(&[node(&registry)], ""));
    host.run(&["watch", "p.toml", "--once"]).exits(0);
    let mut digests = Vec::new();
    for number in 1..=UPDATES {
        digests.push(push(&registry, number));
        let watcher = host.spawn(&["watch", "p.toml", "--once"], b"");
        // From before its first word to after its last.
        let moment = Duration::from_millis(number as u64 * 97 % 160);
        let start = Instant::now();
        poll("the moment", || (start.elapsed() >= moment).then_some(()));
        watcher.signal(Signal::SIGKILL);
        drop(watcher);
        // Looks where that one did not, runs what that one left queued, begins nothing twice.
        host.run(&["watch", "p.toml", "--once"]).exits(0);
        let started: Vec<Value> =
            runs(&host).iter().map(|run| run["cause"]["images"][0]["new"].clone()).collect();
        assert_eq!(started, digests, "after {moment:?}");
    }
    let statuses: Vec<Value> = runs(&host).iter().map(|run| run["status"].clone()).collect();
    assert!(
        statuses.iter().all(|status| status == "succeeded" || status == "interrupted"),
        "{statuses:?}"
    );
}
