//! Any text: parsed, linted, planned, and every stage run to its end.
//!
//! `cargo +nightly fuzz run dockerfile`, in the folder above.

#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use dockerfile::{Base, Config, Options, Plan, Platform, Scope, Source, StageBase, StageRun, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = Source::new(text);
    let file = match parse(text) {
        Ok(file) => Arc::new(file),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(text.get(problem.span.range()).is_some(), "{problem:?}");
                problem.render("Dockerfile", &source);
            }
            return;
        }
    };
    for warning in file.lint() {
        assert!(text.get(warning.span.range()).is_some(), "{warning:?}");
    }
    let machine = Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        variant: String::new(),
    };
    let options = Options {
        args: vec![("A".to_owned(), "a b".to_owned())],
        build_platform: machine.clone(),
        target_platform: machine,
        target: None,
    };
    let Ok(plan) = Plan::new(file, options) else { return };
    plan.references(Scope::All);
    plan.unused_args();
    let mut ends = BTreeMap::new();
    for stage in plan.order() {
        let base = match &plan.stages()[*stage].base {
            StageBase::Scratch => Base::Scratch,
            StageBase::Image(_) => Base::Image(Config::default()),
            StageBase::Stage(parent) => match ends.get(parent) {
                Some(end) => Base::Stage(Clone::clone(end)),
                None => panic!("stage {stage} before {parent}"),
            },
        };
        let mut run = StageRun::new(&plan, *stage, base);
        for step in &mut run {
            if let Err(problem) = step {
                assert!(text.get(problem.span.range()).is_some(), "{problem:?}");
                return;
            }
        }
        ends.insert(*stage, run.finish());
    }
});
