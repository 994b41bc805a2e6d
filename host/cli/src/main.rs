//! The `windlass` program: arguments → settings → one command.
//!
//! The only room that knows the terminal, the environment and how a process ends. [`wiring`] joins
//! the two lines of the house: steps of `run` are plugins of `wasm`, grants of `pipeline` become
//! grants of `capability`.

mod args;
mod command;
mod exit;
mod plugins;
mod settings;
mod signals;
mod ui;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Arguments;
use crate::exit::Exit;
use crate::settings::Settings;

/// What glibc takes from the system for itself, and gives back at once.
const LARGE: usize = 4 * 1024 * 1024;

/// A core file of this many bytes is none, and what the kernel would hand to another program, as it
/// does where `core_pattern` names one, is not handed over either: 0 would stop the former alone.
const NO_DUMP: u64 = 1;

fn main() -> ExitCode {
    leave_no_dump();
    // A build runs its commands through this program once more, inside of namespaces; before
    // anything else, since it is done for each command.
    let mut given = std::env::args_os().skip(1);
    if given.next().is_some_and(|first| first == capability::BUILD_HELPER) {
        return capability::build_helper(given);
    }
    keep_freed_memory();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to standard output and are no error. A closed pipe is not either.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    let settings = match Settings::from_environment(&arguments.global) {
        Ok(settings) => settings,
        Err(fault) => {
            ui::show_fault(None, &fault, None, report::Style::Plain);
            return Exit::Usage.into();
        }
    };
    let colour = match settings.style {
        report::Style::Coloured => anstream::ColorChoice::AlwaysAnsi,
        report::Style::Plain => anstream::ColorChoice::Never,
    };
    colour.write_global();
    start_log(&settings);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let fault =
                report::Fault::new(report::Kind::Internal, "no threads to run on").cause(error);
            ui::show_fault(None, &fault, None, settings.style);
            return Exit::Bug.into();
        }
    };
    let exit = runtime.block_on(command::dispatch(arguments.command, &settings));
    // A guest that is being compiled, or a file that is being read, must not hold up the end.
    runtime.shutdown_background();
    exit.into()
}

/// The memory of a run holds secrets: whatever ends it, they are not written to a disk.
fn leave_no_dump() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit { current: Some(NO_DUMP), ..getrlimit(Resource::Core) };
    // It fails where the limit is 0 for good.
    let _ = setrlimit(Resource::Core, limit);
}

/// Buffers of bodies come and go by the megabyte, and glibc gives them back to the system one by one:
/// the page faults of the next ones are a tenth of the processor time of a copy. Once something large
/// has come and gone it keeps up to twice as much.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE)));
}

/// The program's own log, for those who look for a bug in it: `-vv`.
fn start_log(settings: &Settings) {
    let level = match settings.verbose {
        0 | 1 => tracing::level_filters::LevelFilter::WARN,
        _ => tracing::level_filters::LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(settings.style == report::Style::Coloured)
        .without_time()
        .init();
}
