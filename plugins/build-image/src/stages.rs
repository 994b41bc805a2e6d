//! A Dockerfile, instruction by instruction.

mod copy;
mod run;

use std::collections::BTreeMap;
use std::rc::Rc;

use dockerfile::{
    Action, Base as StageStart, Options, Origin, Plan, Platform, StageBase, StageEnd, StageRun,
    Step,
};
use windlass_plugin::build::{Builder, Context, Filesystem};
use windlass_plugin::{Error, Result, log};

use crate::config::ImageConfig;
use crate::inputs::Inputs;
use crate::outputs::{Base, Steps};
use crate::product::{Content, Product, base_of};
use crate::source::Script;

/// A base whose triggers bring in further bases, and so on, ends somewhere.
const MOST_ROUNDS: usize = 100;

/// Builds the Dockerfile with `builder`.
///
/// # Errors
/// `invalid.dockerfile`; what the host says of a step, with its place in the file.
pub fn build(
    inputs: &Inputs,
    script: &Script,
    context: &Context,
    builder: &Builder,
    epoch: u64,
) -> Result<(Product, u32)> {
    let mut build = Build {
        inputs,
        script,
        context,
        builder,
        epoch,
        done: BTreeMap::new(),
        images: BTreeMap::new(),
        bases: Vec::new(),
        steps: Steps::default(),
        warnings: 0,
        platform: builder.platform(),
    };
    let mut plan = build.plan()?;
    build.resolve(&mut plan)?;
    for index in plan.order().to_vec() {
        build.stage(&plan, index)?;
    }
    build.finish(&plan)
}

struct Build<'a> {
    inputs: &'a Inputs,
    script: &'a Script,
    context: &'a Context,
    builder: &'a Builder,
    epoch: u64,
    /// Stages that are built, by index.
    done: BTreeMap<usize, Stage>,
    /// Images that were opened, by reference and platform.
    images: BTreeMap<(String, String), Rc<Filesystem>>,
    bases: Vec<Base>,
    steps: Steps,
    warnings: u32,
    /// Of the stage that is being built.
    platform: String,
}

/// A stage that is built.
struct Stage {
    filesystem: Rc<Filesystem>,
    end: StageEnd,
    config: ImageConfig,
}

impl Build<'_> {
    fn plan(&mut self) -> Result<Plan> {
        let platform = |text: &str| {
            let mut parts = text.split('/').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            Platform { os: next(), architecture: next(), variant: next() }
        };
        let options = Options {
            args: self.inputs.args.clone().into_iter().collect(),
            build_platform: platform(&Builder::machine()),
            target_platform: platform(&self.builder.platform()),
            target: self.inputs.target.clone(),
        };
        let plan = Plan::new(self.script.file.clone(), options)
            .map_err(|problems| self.script.error(&problems))?;
        for unused in plan.unused_args() {
            log::warn!("no `ARG` takes the build argument `{unused}`: is it misspelt?");
            self.warnings += 1;
        }
        self.warnings += self.script.warn(plan.warnings());
        Ok(plan)
    }

    /// Opens the images that stages build on, and takes in their triggers.
    fn resolve(&mut self, plan: &mut Plan) -> Result<()> {
        let mut known: Vec<usize> = Vec::new();
        for _ in 0..MOST_ROUNDS {
            let next = plan.order().iter().copied().find(|index| !known.contains(index));
            let Some(index) = next else { return Ok(()) };
            known.push(index);
            let Some(stage) = plan.stages().get(index).cloned() else { continue };
            let StageBase::Image(reference) = &stage.base else { continue };
            let platform = stage.platform.to_string();
            let image = self
                .image(reference, &platform)
                .map_err(|error| self.script.at(stage.span, error))?;
            if let Some(text) = image.config() {
                let config = ImageConfig::read(&text)?;
                plan.add_triggers(index, &config.settings.on_build)
                    .map_err(|problems| self.script.error(&problems))?;
            }
        }
        Err(Error::new("invalid.dockerfile", "triggers of bases bring in bases without end"))
    }

    /// An image of the registry, opened once for each platform.
    fn image(&mut self, reference: &str, platform: &str) -> Result<Rc<Filesystem>> {
        let key = (reference.to_owned(), platform.to_owned());
        if let Some(known) = self.images.get(&key) {
            return Ok(Rc::clone(known));
        }
        let opened = self.builder.base(reference, Some(platform)).map_err(|error| {
            match error.is("denied") {
                true => error.hint(format!(
                    "add it to `with` of the step: bases = [{:?}]",
                    without_selector(reference)
                )),
                false => error,
            }
        })?;
        let opened = Rc::new(opened);
        if let Some(base) = base_of(&opened, platform, false)
            && !self.bases.contains(&base)
        {
            log::debug!("{} is {}", base.name, base.digest);
            self.bases.push(base);
        }
        self.images.insert(key, Rc::clone(&opened));
        Ok(opened)
    }

    fn stage(&mut self, plan: &Plan, index: usize) -> Result<()> {
        let Some(stage) = plan.stages().get(index) else { return Ok(()) };
        let (mut filesystem, start, mut config) = match &stage.base {
            StageBase::Scratch => {
                (Rc::new(self.builder.scratch()?), StageStart::Scratch, ImageConfig::default())
            }
            StageBase::Stage(other) => {
                let Some(base) = self.done.get(other) else {
                    return Err(Error::failed("a stage is built before the one it needs"));
                };
                let start = StageStart::Stage(base.end.clone());
                (Rc::clone(&base.filesystem), start, base.config.clone())
            }
            StageBase::Image(reference) => {
                let image = self.image(reference, &stage.platform.to_string());
                let image = image.map_err(|error| self.script.at(stage.span, error))?;
                let config = match image.config() {
                    Some(text) => ImageConfig::read(&text)?,
                    None => ImageConfig::default(),
                };
                (image, StageStart::Image(config.settings.clone()), config)
            }
        };
        self.platform = stage.platform.to_string();
        let mut run = StageRun::new(plan, index, start);
        for step in &mut run {
            let step = step.map_err(|problem| self.script.error(&[problem]))?;
            let before = filesystem.new_layers();
            let changed = self
                .step(plan, &filesystem, &step)
                .map_err(|error| self.script.at(step.span, error))?;
            if let Some(changed) = changed {
                filesystem = Rc::new(changed);
            }
            if let Some(created_by) = &step.created_by {
                config.note(created_by, self.epoch, filesystem.new_layers() > before);
            }
        }
        self.warnings += self.script.warn(run.warnings());
        let end = run.finish();
        config.settings = end.config.clone();
        self.done.insert(index, Stage { filesystem, end, config });
        Ok(())
    }

    /// Does what `step` does to files; none where it does nothing to them.
    fn step(&mut self, plan: &Plan, on: &Filesystem, step: &Step) -> Result<Option<Filesystem>> {
        let made = match &step.action {
            Action::Run(run) => self.run(plan, on, step, run)?,
            Action::Copy(copy) => self.copy(plan, on, copy)?,
            Action::Add(add) => self.add(on, add)?,
            Action::Workdir { path, user } => {
                let owner = (!user.is_empty()).then_some(user.as_str());
                return on.make_directory(path, owner).map(Some);
            }
            Action::Arg(_)
            | Action::Env(_)
            | Action::Label(_)
            | Action::User(_)
            | Action::Expose(_)
            | Action::Volume(_)
            | Action::Cmd(_)
            | Action::Entrypoint(_)
            | Action::Shell(_)
            | Action::StopSignal(_)
            | Action::Healthcheck(_)
            | Action::Onbuild(_)
            | Action::Maintainer(_) => return Ok(None),
        };
        match (made.was_cached(), &step.action) {
            (true, _) => {
                self.steps.cached += 1;
                log::info!("{} (cached)", step.text);
            }
            (false, action) => {
                self.steps.done += 1;
                // A command was announced before it ran.
                if !matches!(action, Action::Run(_)) {
                    log::info!("{}", step.text);
                }
            }
        }
        Ok(Some(made))
    }

    /// The filesystem that `origin` names; none for the context, and for nothing at all.
    fn origin(&mut self, plan: &Plan, origin: &Origin) -> Result<Option<Rc<Filesystem>>> {
        match origin {
            Origin::Empty | Origin::Context => Ok(None),
            Origin::Stage(index) => match self.done.get(index) {
                Some(stage) => Ok(Some(Rc::clone(&stage.filesystem))),
                None => Err(Error::failed("a stage is read before it is built")),
            },
            Origin::Image(reference) => {
                let platform = plan.options().target_platform.to_string();
                self.image(reference, &platform).map(Some)
            }
        }
    }

    fn finish(mut self, plan: &Plan) -> Result<(Product, u32)> {
        let Some(mut stage) = self.done.remove(&plan.target()) else {
            return Err(Error::failed("the target was not built"));
        };
        let labels = self.inputs.labels.clone();
        stage.config.settings.labels.extend(labels);
        let runtime = stage.filesystem.name();
        for base in &mut self.bases {
            base.runtime = Some(&base.name) == runtime.as_ref()
                && Some(&base.manifest) == stage.filesystem.digest().as_ref();
        }
        let config = stage.config.write(self.epoch)?;
        drop(self.done);
        drop(self.images);
        let filesystem = Rc::try_unwrap(stage.filesystem)
            .map_err(|_| Error::failed("a filesystem is still in use"))?;
        let product = Product {
            platform: self.builder.platform(),
            content: Content::Built(filesystem),
            config,
            bases: self.bases,
            steps: self.steps,
        };
        Ok((product, self.warnings))
    }
}

/// A reference without tag and digest, as patterns of repositories are written.
fn without_selector(reference: &str) -> &str {
    let bare = reference.split('@').next().unwrap_or(reference);
    match bare.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => bare,
    }
}
