//! Instructions that change the config alone, and the step of each.

use super::StageRun;
use crate::config::{Config, Healthcheck};
use crate::diagnostic::Diagnostic;
use crate::expand::Lexer;
use crate::history;
use crate::instruction::{
    Argument, Command, CommandLine, HealthcheckLine, HealthcheckOptions, Instruction, Pair,
};
use crate::lint::Rule;
use crate::path::join;
use crate::plan::HIDDEN_ARGUMENTS;
use crate::port;
use crate::signal;
use crate::step::{Action, Step};
use crate::word::Word;

/// 65536: every port once; a config with more is a mistake.
const MAX_PORTS: usize = 1 << 16;

/// Ten thousand: no environment of a program is larger.
const MAX_VARIABLES: usize = 10_000;

/// What an instruction does, and what the history says of it.
pub(super) struct Done {
    pub(super) action: Action,
    pub(super) created_by: Option<String>,
    pub(super) has_layer: bool,
}

impl Done {
    fn metadata(action: Action, created_by: String) -> Self {
        Self { action, created_by: Some(created_by), has_layer: false }
    }
}

impl StageRun {
    pub(super) fn step(
        &mut self,
        instruction: &Instruction,
        is_trigger: bool,
    ) -> Result<Step, Diagnostic> {
        self.check_room(instruction)?;
        let Done { action, created_by, has_layer } = self.do_instruction(instruction)?;
        let (span, text) = (instruction.span, instruction.text.clone());
        Ok(Step { span, text, is_trigger, created_by, has_layer, action })
    }

    fn check_room(&self, instruction: &Instruction) -> Result<(), Diagnostic> {
        let more = if let Command::Env(pairs) = &instruction.command {
            pairs.len()
        } else {
            instruction.command.arguments().len()
        };
        if self.state.env.len().max(self.state.args.len()) + more <= MAX_VARIABLES {
            return Ok(());
        }
        let message = format!("stage has more than {MAX_VARIABLES} variables");
        Err(Diagnostic::error(instruction.span, message))
    }

    fn do_instruction(&mut self, instruction: &Instruction) -> Result<Done, Diagnostic> {
        match &instruction.command {
            Command::Add(add) => self.add(add, instruction),
            Command::Copy(copy) => self.copy(copy, instruction),
            Command::Run(run) => self.run(run, instruction),
            Command::Arg(arguments) => self.arg(arguments),
            Command::Cmd(line) => Ok(self.cmd(line, instruction)),
            Command::Entrypoint(line) => Ok(self.entrypoint(line, instruction)),
            Command::Env(pairs) => self.env(pairs),
            Command::Expose(words) => self.expose(words),
            Command::Healthcheck(line) => Ok(self.healthcheck(line)),
            Command::Label(pairs) => self.label(pairs),
            Command::Maintainer(name) => {
                self.config_mut().author = Some(name.text.clone());
                let created_by = format!("MAINTAINER {}", name.text);
                Ok(Done::metadata(Action::Maintainer(name.text.clone()), created_by))
            }
            Command::Onbuild(onbuild) => {
                self.config_mut().on_build.push(onbuild.expression.clone());
                let action = Action::Onbuild(onbuild.expression.clone());
                Ok(Done { action, created_by: None, has_layer: false })
            }
            Command::Shell(words) => {
                let shell: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
                self.config_mut().shell = Some(shell.clone());
                let created_by = history::list("SHELL", &shell);
                Ok(Done::metadata(Action::Shell(shell), created_by))
            }
            Command::StopSignal(word) => self.stop_signal(word),
            Command::User(word) => {
                let user = self.expand(word)?;
                self.config_mut().user.clone_from(&user);
                let created_by = format!("USER {user}");
                Ok(Done::metadata(Action::User(user), created_by))
            }
            Command::Volume(words) => self.volume(words),
            Command::Workdir(word) => self.workdir(word),
            // The parser begins a stage with it.
            Command::From(_) => Err(Diagnostic::error(instruction.span, "FROM within a stage")),
        }
    }

    fn config_mut(&mut self) -> &mut Config {
        &mut self.state.config
    }

    fn pairs(&mut self, pairs: &[Pair]) -> Result<Vec<(String, String)>, Diagnostic> {
        let pair = |pair: &Pair| {
            let key = self.expand(&pair.key)?;
            if key.is_empty() {
                let message = format!("name `{}` is empty", pair.key.text);
                return Err(Diagnostic::error(pair.key.span, message));
            }
            Ok((key, self.expand(&pair.value)?))
        };
        pairs.iter().map(pair).collect()
    }

    fn env(&mut self, pairs: &[Pair]) -> Result<Done, Diagnostic> {
        // All are expanded before one is set: `ENV a=1 b=$a` has the old `a`.
        let pairs = self.pairs(pairs)?;
        for (name, value) in &pairs {
            self.state.env.set(name, value);
            let env = &mut self.state.config.env;
            match env.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1.clone_from(value),
                None => env.push((name.clone(), value.clone())),
            }
        }
        let created_by = history::pairs("ENV", &pairs);
        Ok(Done::metadata(Action::Env(pairs), created_by))
    }

    fn label(&mut self, pairs: &[Pair]) -> Result<Done, Diagnostic> {
        let pairs = self.pairs(pairs)?;
        self.config_mut().labels.extend(pairs.iter().cloned());
        let created_by = history::pairs("LABEL", &pairs);
        Ok(Done::metadata(Action::Label(pairs), created_by))
    }

    /// A build argument counts more than a default, a default more than a global argument.
    fn arg(&mut self, arguments: &[Argument]) -> Result<Done, Diagnostic> {
        let mut declared = Vec::new();
        for Argument { name, default } in arguments {
            let given = self.options.arg(&name.text).map(str::to_owned);
            let value = match (given, default) {
                (Some(given), _) => Some(given),
                (None, Some(default)) => Some(self.expand(default)?),
                (None, None) => self.globals.get(&name.text).map(str::to_owned),
            };
            let name = name.text.clone();
            if let Some(value) = &value
                && !HIDDEN_ARGUMENTS.contains(&name.as_str())
            {
                self.state.env.set(&name, value);
            }
            self.state.args.push((name.clone(), value.clone()));
            declared.push((name, value));
        }
        let created_by = history::arguments(&declared);
        Ok(Done::metadata(Action::Arg(declared), created_by))
    }

    fn cmd(&mut self, line: &CommandLine, instruction: &Instruction) -> Done {
        let argv = self.start_command(line, instruction);
        self.has_cmd = true;
        self.config_mut().cmd = Some(argv.clone()).filter(|argv| !argv.is_empty());
        let created_by = history::quoted("CMD", &argv);
        Done::metadata(Action::Cmd(argv), created_by)
    }

    fn entrypoint(&mut self, line: &CommandLine, instruction: &Instruction) -> Done {
        let argv = self.start_command(line, instruction);
        let has_cmd = self.has_cmd;
        let config = self.config_mut();
        config.entrypoint = Some(argv.clone()).filter(|argv| !argv.is_empty());
        if !has_cmd {
            // A command that the base meant for another entrypoint.
            config.cmd = None;
        }
        let created_by = history::quoted("ENTRYPOINT", &argv);
        Done::metadata(Action::Entrypoint(argv), created_by)
    }

    fn start_command(&mut self, line: &CommandLine, instruction: &Instruction) -> Vec<String> {
        let has_shell = self.config().shell.as_ref().is_some_and(|shell| !shell.is_empty());
        if let (CommandLine::Shell(_), false) = (line, has_shell) {
            let name = instruction.command.name();
            let message = format!("{name} in shell form gets no signals");
            let help = format!("write `{name} [\"program\", \"argument\"]`");
            self.warnings.warn(Rule::JsonArgsRecommended, instruction.span, message, help);
        }
        self.argv(line)
    }

    fn expose(&mut self, words: &[Word]) -> Result<Done, Diagnostic> {
        let mut words = words.to_vec();
        words.sort_by(|a, b| a.text.cmp(&b.text));
        let lexer = Lexer::new(self.file.directives.escape);
        let mut names = Vec::new();
        for word in &words {
            for piece in self.expand_with(lexer, word)?.words {
                let wrong = |message| Diagnostic::error(word.span, message);
                let ports = port::read(&piece.text).map_err(wrong)?;
                if !ports.is_lower_case {
                    let message = format!("protocol of `{}` is not in lower case", piece.text);
                    let help = format!("write `{}`", piece.text.to_ascii_lowercase());
                    self.warnings.warn(Rule::ExposeProtoCasing, word.span, message, help);
                }
                if ports.has_host {
                    let message = format!("`{}` says a port of the host", piece.text);
                    let help = "say the port of the container alone";
                    self.warnings.warn(Rule::ExposeInvalidFormat, word.span, message, help);
                }
                names.extend(ports.names);
                if names.len() > MAX_PORTS {
                    return Err(wrong(format!("EXPOSE has more than {MAX_PORTS} ports")));
                }
            }
        }
        self.config_mut().exposed_ports.extend(names.iter().cloned());
        let created_by = history::list("EXPOSE", &names);
        Ok(Done::metadata(Action::Expose(names), created_by))
    }

    fn healthcheck(&mut self, line: &HealthcheckLine) -> Done {
        let none = || (vec!["NONE".to_owned()], HealthcheckOptions::default());
        let (test, options) = match line {
            HealthcheckLine::None => none(),
            HealthcheckLine::Check { command: CommandLine::Shell(word), options } => {
                (vec!["CMD-SHELL".to_owned(), word.text.clone()], *options)
            }
            HealthcheckLine::Check { command: CommandLine::Exec(words), options } => {
                let words = words.iter().map(|word| word.text.clone());
                (std::iter::once("CMD".to_owned()).chain(words).collect(), *options)
            }
        };
        let check = Healthcheck { test, options };
        self.config_mut().healthcheck = Some(check.clone());
        let created_by = history::healthcheck(&check);
        Done::metadata(Action::Healthcheck(check), created_by)
    }

    fn stop_signal(&mut self, word: &Word) -> Result<Done, Diagnostic> {
        let name = self.expand(word)?;
        if !signal::is_signal(&name) {
            let problem = Diagnostic::error(word.span, format!("`{name}` is no signal of Linux"));
            return Err(problem.did_you_mean(signal::near(&name).as_deref()));
        }
        self.config_mut().stop_signal = Some(name.clone());
        let created_by = format!("STOPSIGNAL {name}");
        Ok(Done::metadata(Action::StopSignal(name), created_by))
    }

    fn volume(&mut self, words: &[Word]) -> Result<Done, Diagnostic> {
        let volumes = self.expand_all(words)?;
        if let Some((word, _)) = words.iter().zip(&volumes).find(|(_, path)| path.is_empty()) {
            let message = format!("volume `{}` is an empty path", word.text);
            return Err(Diagnostic::error(word.span, message));
        }
        self.config_mut().volumes.extend(volumes.iter().cloned());
        let created_by = history::list("VOLUME", &volumes);
        Ok(Done::metadata(Action::Volume(volumes), created_by))
    }

    fn workdir(&mut self, word: &Word) -> Result<Done, Diagnostic> {
        let said = self.expand(word)?;
        if !said.starts_with('/') && !self.state.has_workdir {
            let message = format!("relative WORKDIR `{said}` depends on the base image");
            let help = "write an absolute path first";
            self.warnings.warn(Rule::WorkdirRelativePath, word.span, message, help);
        }
        self.state.has_workdir = true;
        let path = join(self.working_dir(), &said);
        self.config_mut().working_dir.clone_from(&path);
        let created_by = Some(format!("WORKDIR {path}"));
        let has_layer = path != "/";
        let user = self.config().user.clone();
        Ok(Done { action: Action::Workdir { path, user }, created_by, has_layer })
    }
}
