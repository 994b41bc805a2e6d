//! What holds for every plan.

use std::{collections::BTreeSet, num::NonZeroUsize};

use pipeline::Plan;
use proptest::prelude::*;

use super::{Account, options, plan, run};
use crate::{Event, EventKind, Options, RunRecord, ndjson};

/// A random graph.
#[derive(Clone, Debug)]
struct Shape(Vec<Node>);

#[derive(Clone, Debug)]
struct Node {
    /// Places of other steps; `None` for a step that follows the one before.
    needs: Option<Vec<usize>>,
    takes: u64,
    fails: bool,
    always: bool,
    is_grouped: bool,
}

impl Shape {
    fn plan(&self) -> Plan {
        let step = |(place, node): (usize, &Node)| {
            let Node { needs, takes, fails, always, is_grouped } = node;
            let ids = |needs: &Vec<usize>| -> Vec<String> {
                needs.iter().map(|need| format!("\"s{need}\"")).collect()
            };
            let needs = needs.as_ref().map(|needs| format!("needs = [{}]", ids(needs).join(", ")));
            let needs = needs.unwrap_or_default();
            let fails = if *fails { ", fails = \"failed\"" } else { "" };
            let group = if *is_grouped { "concurrency = \"g\"" } else { "" };
            format!(
                "[[step]]\nid = \"s{place}\"\n{needs}\nalways = {always}\n{group}\n\
                 with = {{ takes-ms = {takes}{fails} }}\n"
            )
        };
        plan(&self.0.iter().enumerate().map(step).collect::<String>())
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let needs = prop::option::of(prop::collection::vec(any::<prop::sample::Index>(), 0..4));
    let step = (needs, 0..50_u64, 0..8, 0..8, 0..4);
    prop::collection::vec(step, 1..24).prop_map(|steps| {
        let mut nodes = Vec::new();
        for (needs, takes, fails, always, grouped) in steps {
            let place = nodes.len();
            let earlier = |needs: Vec<prop::sample::Index>| -> BTreeSet<usize> {
                needs.iter().filter(|_| place > 0).map(|need| need.index(place)).collect()
            };
            nodes.push(Node {
                needs: needs.map(|needs| earlier(needs).into_iter().collect()),
                takes,
                fails: fails == 0,
                always: always == 0,
                is_grouped: grouped == 0,
            });
        }
        Shape(nodes)
    })
}

fn run_paused(plan: &Plan, options: &Options) -> Account {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(run(plan, options))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_step_ends_once_after_its_needs_and_no_more_than_jobs_run_at_once(
        shape in shapes(),
        jobs in 1..5_usize,
    ) {
        let plan = shape.plan();
        let jobs = NonZeroUsize::new(jobs).unwrap();
        let account = run_paused(&plan, &Options { jobs, ..options() });

        let mut running = Vec::new();
        let mut ended = Vec::new();
        for event in &account.events {
            if let EventKind::StepStarted { step, .. } = &event.kind {
                let planned = plan.step(step.as_str()).unwrap();
                for need in planned.needs.iter().chain(&planned.follows) {
                    prop_assert!(ended.contains(&need.to_string()), "{step} before {need}");
                }
                running.push(step.to_string());
                prop_assert!(running.len() <= jobs.get());
                let in_group = |id: &&String| plan.step(id).unwrap().concurrency.is_some();
                prop_assert!(running.iter().filter(in_group).count() <= 1);
            } else if let EventKind::StepFinished(end) = &event.kind {
                running.retain(|id| id != end.step.as_str());
                prop_assert!(!ended.contains(&end.step.to_string()), "{} twice", end.step);
                ended.push(end.step.to_string());
            }
        }
        prop_assert_eq!(ended.len(), plan.steps.len());
        prop_assert!(running.is_empty());
    }

    #[test]
    fn the_record_of_a_replay_is_the_record_of_the_run(shape in shapes()) {
        let plan = shape.plan();
        let account = run_paused(&plan, &options());
        let sink = ndjson::NdjsonSink::new(Vec::new()).unwrap();
        account.events.iter().for_each(|event| crate::EventSink::emit(&sink, event));
        let text = sink.finish().unwrap();
        let replayed: Vec<Event> =
            ndjson::read(text.as_slice()).unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&replayed, &account.events);
        let record = RunRecord::from_events(&replayed).unwrap();
        let shown = |record: &RunRecord| serde_json::to_string_pretty(record).unwrap();
        prop_assert_eq!(shown(&record), shown(&account.result.record));
        let reread: RunRecord = serde_json::from_str(&shown(&record)).unwrap();
        prop_assert_eq!(reread, account.result.record);
    }
}
