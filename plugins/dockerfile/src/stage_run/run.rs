//! `RUN`: what is executed, with which variables, over which mounts.

use super::StageRun;
use super::metadata::Done;
use crate::diagnostic::Diagnostic;
use crate::heredoc::Heredoc;
use crate::history;
use crate::instruction::{CommandLine, Instruction, Run};
use crate::mount::{Mount, MountFlag, MountKind};
use crate::path::{join, name};
use crate::plan::is_proxy;
use crate::step::{Action, Origin, RunMount, RunStep, Script};

/// Where the document of a `RUN` is seen while it runs.
const SCRIPTS: &str = "/dev/pipes";

impl StageRun {
    pub(super) fn run(&mut self, run: &Run, instruction: &Instruction) -> Result<Done, Diagnostic> {
        let mut mounts = Vec::new();
        for flag in &run.mounts {
            let mount = self.mount(flag, mounts.len())?;
            mounts.push(mount);
        }
        let (argv, script) = self.program(&run.command, instruction);
        let args = self.args_in_scope();
        let created_by = Some(history::run(&argv, &args));
        let step = RunStep {
            argv,
            env: self.state.env.to_vec(),
            args,
            proxy: self.proxy(),
            working_dir: self.working_dir().to_owned(),
            user: self.state.config.user.clone(),
            mounts,
            script,
            network: run.network,
            security: run.security,
            devices: run.devices.clone(),
        };
        Ok(Done { action: Action::Run(step), created_by, has_layer: true })
    }

    /// A document alone is the script, or is executed if it begins with `#!`; documents within a
    /// command are given back to the shell as it would have read them.
    fn program(
        &self,
        command: &CommandLine,
        instruction: &Instruction,
    ) -> (Vec<String>, Option<Script>) {
        let (CommandLine::Shell(word), Some(first)) = (command, instruction.heredocs.first())
        else {
            return (self.argv(command), None);
        };
        if Heredoc::open(&word.text, word.span).is_none() {
            let mut text = word.text.clone();
            for heredoc in &instruction.heredocs {
                text.push('\n');
                text.push_str(&heredoc.content);
                text.push_str(&heredoc.name.text);
            }
            return (self.in_shell(text), None);
        }
        let content = first.chomped();
        if !content.starts_with("#!") {
            return (self.in_shell(content), None);
        }
        let path = join(SCRIPTS, name(&first.name.text));
        (self.in_shell(path.clone()), Some(Script { path, content }))
    }

    /// Every argument once, with the value that its variable has by now.
    fn args_in_scope(&self) -> Vec<(String, String)> {
        let mut args: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.state.args {
            let value = self.state.env.get(name).or(value.as_deref()).unwrap_or_default();
            match args.iter_mut().find(|(known, _)| known == name) {
                Some(known) => value.clone_into(&mut known.1),
                None => args.push((name.clone(), value.to_owned())),
            }
        }
        args
    }

    /// Proxy settings among the build arguments, under both of their names.
    fn proxy(&self) -> Vec<(String, String)> {
        let mut given: Vec<&(String, String)> =
            self.options.args.iter().filter(|(name, _)| is_proxy(name)).collect();
        given.sort_by(|a, b| a.0.cmp(&b.0));
        let mut proxy: Vec<(String, String)> = Vec::new();
        for (name, value) in given {
            for name in [name.to_ascii_uppercase(), name.to_ascii_lowercase()] {
                proxy.retain(|(known, _)| *known != name);
                proxy.push((name, value.clone()));
            }
        }
        proxy
    }

    fn mount(&mut self, flag: &MountFlag, index: usize) -> Result<RunMount, Diagnostic> {
        let mut mount = flag.evaluate(&mut |word| self.expand(word))?;
        let span = flag.word.span;
        let has_files = matches!(mount.kind, MountKind::Bind | MountKind::Cache);
        let origin = match (flag.from(), mount.kind) {
            (Some(from), _) if has_files && mount.from.is_some() => {
                let resolved = self.names.resolve(from, self.stage);
                resolved.map_err(crate::origin::Lost::into_problem)?
            }
            (_, MountKind::Bind) => Origin::Context,
            (_, MountKind::Cache | MountKind::Tmpfs | MountKind::Secret | MountKind::Ssh) => {
                Origin::Empty
            }
        };
        match mount.kind {
            MountKind::Secret => fill_secret(&mut mount),
            MountKind::Ssh => {
                if !mount.source.is_empty() {
                    let problem = Diagnostic::error(span, "mount of type ssh takes no `source`");
                    return Err(problem.help("name the agent by `id`"));
                }
                fill_ssh(&mut mount, index);
            }
            MountKind::Cache if mount.id.is_empty() => mount.id = clean(&mount.target),
            MountKind::Cache | MountKind::Bind | MountKind::Tmpfs => {}
        }
        if !(mount.kind == MountKind::Secret && mount.target.is_empty()) {
            mount.target = join(self.working_dir(), &mount.target);
            if mount.target == "/" {
                let problem = Diagnostic::error(span, "mount covers the whole file system");
                return Err(problem.help("write `target=/PATH`"));
            }
        }
        Ok(RunMount { mount, origin })
    }
}

/// A secret goes by `source`, by `id`, or by the name of its file; without a variable it is a file.
fn fill_secret(mount: &mut Mount) {
    if !mount.source.is_empty() {
        mount.id = std::mem::take(&mut mount.source);
    }
    if mount.id.is_empty() {
        name(&mount.target).clone_into(&mut mount.id);
    }
    if mount.target.is_empty() && mount.env.is_none() {
        mount.target = format!("/run/secrets/{}", name(&mount.id));
    }
}

fn fill_ssh(mount: &mut Mount, index: usize) {
    if mount.id.is_empty() {
        "default".clone_into(&mut mount.id);
    }
    if mount.target.is_empty() {
        mount.target = format!("/run/buildkit/ssh_agent.{index}");
    }
}

/// The target as written, without `.`, `..` and doubled slashes: what a cache is known by.
fn clean(target: &str) -> String {
    let joined = join("/", target);
    if target.starts_with('/') { joined } else { joined.trim_start_matches('/').to_owned() }
}
