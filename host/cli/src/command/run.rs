//! `windlass run`: a plan becomes events.

use std::num::NonZeroUsize;
use std::sync::Arc;

use pipeline::{Plan, StepId};
use report::{Fault, Kind};
use run::{Engine, EventSink, OnFailure, Options, RunResult, SystemClock};

use super::{Failure, load};
use crate::args::{Format, Run};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::ui;
use crate::wiring::{self, Runner};

/// At least so many steps at once: most steps wait for a network.
const FEWEST_JOBS: usize = 4;

pub(super) async fn run(arguments: Run, settings: &Settings) -> Result<Exit, Failure> {
    let loaded = load::load(&arguments.given.file, settings).await?;
    let plan = loaded.plan(&arguments.given, settings)?;
    let load::Loaded { plugins, backends, mask, pipeline: _ } = loaded;
    let source_date_epoch = settings.source_date_epoch;
    let pipeline = plan.name.clone();
    let runner = Runner { pipeline, plugins, backends, source_date_epoch };
    let sink: Arc<dyn EventSink> = match arguments.format {
        Format::Human => Arc::new(ui::Human::new(settings, mask.clone())),
        Format::Json => Arc::new(ui::json(mask.clone()).map_err(|error| {
            Fault::new(Kind::Failed, "standard output cannot be written").cause(error)
        })?),
    };
    let options = options(&arguments, &plan)?;
    let engine = Engine { runner: Arc::new(runner), sink, clock: Arc::new(SystemClock), mask };
    let ran = Signals::watch(async |signals| {
        let result = run::execute(&plan, &engine, &options, &signals.run).await;
        (result, signals.exit())
    })
    .await;
    match ran {
        Ok((result, interrupted)) => {
            if arguments.format == Format::Human {
                explain(&plan, &result, settings);
            }
            Ok(match result.exit {
                None => Exit::Ok,
                Some(Kind::Cancelled) => interrupted,
                Some(kind) => kind.into(),
            })
        }
        Err(error) => {
            Err(Fault::new(Kind::Internal, "signals cannot be heard").cause(error).into())
        }
    }
}

fn options(arguments: &Run, plan: &Plan) -> Result<Options, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let jobs = arguments.jobs.map_or(cores.max(FEWEST_JOBS), usize::from);
    let mut options = Options::new(wiring::run_id(&SystemClock));
    options.jobs = NonZeroUsize::new(jobs).unwrap_or(NonZeroUsize::MIN);
    if arguments.keep_going {
        options.on_failure = OnFailure::KeepGoing;
    }
    if let Some(only) = &arguments.only {
        let Some(step) = plan.step(only) else {
            let known = plan.steps.iter().map(|step| step.id.as_str());
            let mut fault = Fault::new(Kind::Invalid, format!("there is no step `{only}`"));
            fault = match report::closest(only, known.clone()) {
                Some(near) => fault.help(format!("did you mean `--only {near}`?")),
                None => fault.help(format!("the steps are {}", report::and_list(known))),
            };
            return Err(Failure::Usage(fault));
        };
        options.only = Some(StepId::clone(&step.id));
    }
    Ok(options)
}

/// Says at the end why steps failed, each with its place in the file.
fn explain(plan: &Plan, result: &RunResult, settings: &Settings) {
    for step in &result.record.steps {
        for instance in &step.instances {
            let fault = instance.end.as_ref().and_then(|end| end.fault.as_ref());
            let Some(fault) = fault else { continue };
            let word = match fault.kind {
                Kind::Cancelled => continue,
                Kind::Denied => "was denied",
                Kind::Timeout => "timed out",
                Kind::NotFound
                | Kind::Unauthorized
                | Kind::Conflict
                | Kind::Invalid
                | Kind::Transient
                | Kind::Mismatch
                | Kind::Trap
                | Kind::Failed
                | Kind::Internal => "failed",
            };
            let title = format!("step `{}` {word}", instance.instance);
            let place = plan.step(&step.outline.id).map(|step| (&plan.source, step.span));
            anstream::eprintln!();
            ui::show_fault(Some(&title), fault, place, settings.style);
        }
    }
}
