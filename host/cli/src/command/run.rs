//! `windlass run`: a plan becomes events, and a record while it does.

use std::num::NonZeroUsize;
use std::sync::Arc;

use capability::Secrets;
use pipeline::{Plan, StepId};
use record::{Choices, Detail, EarlierRun, Identity, NewRun, Recorder};
use report::{Diagnostic, Fault, Kind, Mask};
use run::{
    Clock as _, Engine, EventSink, Fanout, OnFailure, Options, Reuse, RunResult, SystemClock,
    Trigger,
};
use serde_json::Value;

use super::{Failure, load, stdin};
use crate::args::{Format, Given, How, Run};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::ui;
use crate::wiring::Runner;

/// At least so many steps at once: most steps wait for a network.
const FEWEST_JOBS: usize = 4;

/// A run that is wanted, whoever wants it.
pub(super) struct Wanted {
    pub(super) given: Given,
    pub(super) choices: Choices,
    pub(super) how: How,
    /// The run that it does again.
    pub(super) again: Option<Again>,
}

/// A run that something has started, and that waits to begin.
pub(super) struct Queued {
    pub(super) id: String,
    pub(super) trigger: Trigger,
    /// Whether it waits for other runs of the same file.
    pub(super) alone: bool,
}

/// What became of a run that waited.
pub(super) enum Begun {
    /// It ran, and ended so.
    Ended(Exit),
    /// Another run of the same file is under way: it still waits.
    Busy,
    /// Somebody else runs it, or nobody will.
    Gone,
}

/// What is done again.
pub(super) struct Again {
    /// The run's id.
    pub(super) id: String,
    /// Its results, if they are taken where they still hold.
    pub(super) results: Option<Detail>,
    /// The step that runs in any case.
    pub(super) from: Option<String>,
}

pub(super) async fn run(arguments: Run, settings: &Settings) -> Result<Exit, Failure> {
    let Run { given, only, keep_going, how } = arguments;
    let choices = Choices { only, keep_going };
    start(Wanted { given, choices, how, again: None }, settings).await
}

/// Runs what is wanted, and records it while it runs.
pub(super) async fn start(wanted: Wanted, settings: &Settings) -> Result<Exit, Failure> {
    // While plugins are loaded.
    let recorder = Recorder::open(&settings.state_dir, not_kept(settings));
    let loaded = load::load(&wanted.given.file, settings).await?;
    let plan = loaded.plan(&wanted.given, settings)?;
    // What is recorded before they are used must not hold them either.
    loaded.backends.secrets.learn().await;
    take_stdin(&loaded.backends.secrets, wanted.again.as_ref()).await?;
    let options = options(&wanted, &plan)?;
    let new = new_run(&wanted, &plan, &options, &loaded.mask)?;
    let recorder = match recorder.create(new, SystemClock.now()) {
        Ok(identity) => Some((Arc::new(recorder), identity)),
        Err(fault) => {
            not_kept(settings)(&fault);
            None
        }
    };
    execute(Prepared { wanted, loaded, plan, options, recorder }, settings).await
}

/// Reads the secret that is from standard input, if there is one: whole, before anything runs.
async fn take_stdin(secrets: &Secrets, again: Option<&Again>) -> Result<(), Failure> {
    let Some(name) = secrets.from_stdin() else { return Ok(()) };
    if again.is_some() {
        let message = format!("the secret `{name}` was from standard input, which is not kept");
        return Err(Failure::Usage(
            Fault::new(Kind::Invalid, message)
                .help("run the pipeline anew: `… | windlass run FILE`, with its inputs"),
        ));
    }
    // Whoever pipes may take its time.
    let value = tokio::task::block_in_place(|| stdin::read(name))?;
    secrets.give(name, value).await.map_err(Failure::from)
}

/// Runs what is wanted and was queued, if nobody else does.
pub(super) async fn begin(
    queued: Queued,
    wanted: Wanted,
    settings: &Settings,
) -> Result<Begun, Failure> {
    let recorder = Recorder::open(&settings.state_dir, not_kept(settings));
    let loaded = load::load(&wanted.given.file, settings).await?;
    let plan = loaded.plan(&wanted.given, settings)?;
    loaded.backends.secrets.learn().await;
    let mut options = options(&wanted, &plan)?;
    options.trigger = queued.trigger;
    let source = load::digest_of(&plan.source);
    let identity = match recorder.claim(&queued.id, &source, queued.alone, SystemClock.now())? {
        record::Begun::Run(identity) => identity,
        record::Begun::Busy => return Ok(Begun::Busy),
        record::Begun::Gone => return Ok(Begun::Gone),
    };
    let recorder = Some((Arc::new(recorder), identity));
    let prepared = Prepared { wanted, loaded, plan, options, recorder };
    execute(prepared, settings).await.map(Begun::Ended)
}

/// All that a run needs.
struct Prepared {
    wanted: Wanted,
    loaded: load::Loaded,
    plan: Plan,
    options: Options,
    recorder: Option<(Arc<Recorder>, Identity)>,
}

async fn execute(prepared: Prepared, settings: &Settings) -> Result<Exit, Failure> {
    let Prepared { wanted, loaded, plan, mut options, recorder } = prepared;
    let load::Loaded { plugins, backends, mask, pipeline: _ } = loaded;
    if let Some((_, identity)) = &recorder {
        options.run.clone_from(&identity.id);
    }
    let Wanted { how: How { format, .. }, again, .. } = wanted;
    if let Some(Again { results: Some(results), from, .. }) = again {
        let earlier = EarlierRun::new(results, from.as_deref(), mask.clone());
        options.earlier = Some(Reuse(Arc::new(earlier)));
    }
    let sink = sink(format, recorder.as_ref(), &mask, settings)?;
    let source_date_epoch = settings.source_date_epoch;
    let pipeline = plan.name.clone();
    let runner = Runner { pipeline, plugins, backends, source_date_epoch };
    let engine = Engine { runner: Arc::new(runner), sink, clock: Arc::new(SystemClock), mask };
    let ran = Signals::watch(async |signals| {
        if let Some((recorder, _)) = &recorder {
            recorder.watch(signals.run.clone());
        }
        let result = run::execute(&plan, &engine, &options, &signals.run).await;
        (result, signals.exit())
    })
    .await;
    match ran {
        Ok((result, interrupted)) => {
            if format == Format::Human {
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

/// The record first: what people are told of the end is true already.
fn sink(
    format: Format,
    recorder: Option<&(Arc<Recorder>, Identity)>,
    mask: &Mask,
    settings: &Settings,
) -> Result<Arc<dyn EventSink>, Failure> {
    let shown: Arc<dyn EventSink> = match format {
        Format::Human => {
            let human = ui::Human::new(settings, mask.clone());
            Arc::new(match recorder {
                Some((_, identity)) => human.called(identity.short.clone()),
                None => human,
            })
        }
        Format::Json => Arc::new(ui::json(mask.clone()).map_err(|error| {
            Fault::new(Kind::Failed, "standard output cannot be written").cause(error)
        })?),
    };
    Ok(match recorder {
        Some((recorder, _)) => {
            Arc::new(Fanout(vec![Arc::clone(recorder) as Arc<dyn EventSink>, shown]))
        }
        None => shown,
    })
}

/// Says that the record is not kept, or not whole. The run goes on.
fn not_kept(settings: &Settings) -> impl Fn(&Fault) + Send + use<> {
    let style = settings.style;
    move |fault| {
        let message = format!("this run is not recorded, or not whole: {fault}");
        let warning = Diagnostic::warning(message).maybe_help(fault.help.clone());
        ui::show_diagnostics(&[warning], style);
    }
}

pub(super) fn new_run(
    wanted: &Wanted,
    plan: &Plan,
    options: &Options,
    mask: &Mask,
) -> Result<NewRun, Failure> {
    let file = std::path::absolute(&wanted.given.file).map_err(|error| {
        Fault::new(Kind::Failed, "the present directory has no path").cause(error)
    })?;
    // A value that holds a secret is nobody's to keep; its name is.
    let is_open = |text: &String| mask.apply(text) == *text;
    let (open, withheld): (Vec<_>, Vec<_>) =
        wanted.given.inputs.iter().cloned().partition(|(_, text)| is_open(text));
    Ok(NewRun {
        pipeline: plan.name.clone(),
        file,
        source: load::digest_of(&plan.source),
        inputs: open.into_iter().collect(),
        withheld: withheld.into_iter().map(|(name, _)| name).collect(),
        trigger: options.trigger,
        cause: Value::Null,
        platform: options.platform.clone(),
        rerun_of: wanted.again.as_ref().map(|again| again.id.clone()),
        choices: wanted.choices.clone(),
    })
}

pub(super) fn options(wanted: &Wanted, plan: &Plan) -> Result<Options, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let jobs = wanted.how.jobs.map_or(cores.max(FEWEST_JOBS), usize::from);
    let mut options = Options::new(record::new_id());
    options.jobs = NonZeroUsize::new(jobs).unwrap_or(NonZeroUsize::MIN);
    if wanted.choices.keep_going {
        options.on_failure = OnFailure::KeepGoing;
    }
    if let Some(only) = &wanted.choices.only {
        options.only = Some(known_step(plan, "--only", only)?);
    }
    if let Some(from) = wanted.again.as_ref().and_then(|again| again.from.as_ref()) {
        known_step(plan, "--from", from)?;
    }
    Ok(options)
}

/// The step `id`, which the option `option` names.
fn known_step(plan: &Plan, option: &str, id: &str) -> Result<StepId, Failure> {
    if let Some(step) = plan.step(id) {
        return Ok(StepId::clone(&step.id));
    }
    let known = plan.steps.iter().map(|step| step.id.as_str());
    let fault = Fault::new(Kind::Invalid, format!("there is no step `{id}`"));
    Err(Failure::Usage(match report::closest(id, known.clone()) {
        Some(near) => fault.help(format!("did you mean `{option} {near}`?")),
        None => fault.help(format!("the steps are {}", report::and_list(known))),
    }))
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
