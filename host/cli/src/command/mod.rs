//! One file for each command.

mod access_log;
mod azure_emulator;
mod build;
mod cache;
mod check;
mod live;
mod load;
mod plan;
mod plugin;
mod registry;
mod run;
mod runs;
mod schema;
mod secret;
mod stdin;
mod triggers;
mod watch;

use std::io::Write as _;

use clap::CommandFactory as _;
use report::{Diagnostic, Fault};

use crate::args::{Arguments, Build, Command};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::ui;

/// Why a command did not do its work, before or without a run.
pub(crate) enum Failure {
    /// The pipeline file is wrong.
    File(Vec<Diagnostic>),
    /// Something else is.
    Fault(Fault),
    /// What was asked for on the command line cannot be.
    Usage(Fault),
}

impl Failure {
    /// Says it, and what it means for the exit code.
    fn show(&self, settings: &Settings) -> Exit {
        match self {
            Self::File(diagnostics) => {
                ui::show_diagnostics(diagnostics, settings.style);
                Exit::Usage
            }
            Self::Usage(fault) => {
                ui::show_fault(None, fault, None, settings.style);
                Exit::Usage
            }
            Self::Fault(fault) => {
                ui::show_fault(None, fault, None, settings.style);
                fault.kind.into()
            }
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Does what was asked and says how the process ends.
pub(crate) async fn dispatch(command: Command, settings: &Settings) -> Exit {
    let done = match command {
        Command::Run(arguments) => run::run(arguments, settings).await,
        Command::Runs(arguments) => runs::runs(arguments, settings).await,
        Command::Watch(arguments) => watch::watch(arguments, settings).await,
        Command::Triggers(arguments) => triggers::triggers(&arguments, settings),
        Command::Check(arguments) => check::check(arguments, settings).await,
        Command::Plan(arguments) => plan::plan(arguments, settings).await,
        Command::Schema(arguments) => schema::schema(arguments, settings).await,
        Command::Secret(command) => secret::secret(command, settings).await,
        Command::Registry(command) => registry::registry(command, settings).await,
        Command::Plugin(command) => plugin::plugin(command, settings).await,
        Command::Build(Build::Context(arguments)) => build::context(arguments).await,
        Command::Cache(arguments) => cache::cache(arguments, settings).await,
        Command::AzureEmulator(arguments) => azure_emulator::serve(arguments, settings).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "windlass", &mut script);
            print_data(&script);
            Ok(Exit::Ok)
        }
    };
    done.unwrap_or_else(|failure| failure.show(settings))
}

/// Writes data to standard output. A reader that has gone away is no error.
fn print_data(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes a line of text to standard output.
fn print_line(text: &str) {
    print_data(format!("{text}\n").as_bytes());
}

/// Writes `value` as indented JSON to standard output.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            print_line(&text);
            Ok(())
        }
        Err(error) => {
            Err(Fault::new(report::Kind::Internal, "the result is no JSON").cause(error).into())
        }
    }
}
