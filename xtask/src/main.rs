//! The project's own commands: `cargo xtask plugins | build | demo | test | ci | bench | verify-az`.
//!
//! This program knows how the parts are made and put together; it knows nothing of what they do.
//! It is compiled before anything else, so it depends on little, and it drives the other tools
//! (cargo, apt, the `windlass` binary) as child processes. Each command has a file; `shell` starts
//! processes, `repo` knows the folders, `toolchain` finds a Rust that can build plugins.
//!
//! It must never leave a process running or a file behind outside `target/` and the user's cache
//! folder, and every failure names the command that repeats it.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for developers: it prints, reads the environment and starts processes"
)]

mod bench;
mod binary;
mod children;
mod ci;
mod demo;
mod deny;
mod files;
mod http;
mod oci;
mod plugins;
mod registry;
mod repo;
mod shell;
mod test;
mod toolchain;
mod tools;
mod verify_az;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::binary::Profile;
use crate::plugins::Flavour;
use crate::repo::Repo;

/// Builds, shows, tests and measures Windlass.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the plugins and the test guests into target/plugins and target/guests
    Plugins {
        /// As they are shipped: optimised for size over the whole program (the default)
        #[arg(long, conflicts_with = "dev")]
        release: bool,
        /// For the edit loop: without link-time optimisation, larger and quicker to build
        #[arg(long)]
        dev: bool,
    },
    /// Builds the plugins and then the windlass binary, which embeds them
    Build {
        /// Optimised, as shipped
        #[arg(long)]
        release: bool,
    },
    /// Shows the main job on this machine: an image goes from one registry to another
    Demo {
        /// Show this program instead of building one
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
    },
    /// Runs all tests; fetches the programs that they need
    Test {
        /// Passed on to the test runner
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Checks everything that must hold before a change lands
    Ci {
        /// Only these stages: format, plugins, deny, clippy, docs, tests
        stages: Vec<String>,
    },
    /// Measures, beside other programs, and writes the figures to docs/benchmarks.md
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Has the real az drive the emulated Azure; fetches az from PyPI into target/az
    VerifyAz {
        /// This az instead
        #[arg(long, value_name = "PATH")]
        az: Option<PathBuf>,
    },
    /// Runs one program and prints what it cost, for `bench`
    #[command(hide = true)]
    Measure {
        /// A part of the line on its standard output to wait for
        #[arg(long)]
        line: Option<String>,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        words: Vec<OsString>,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// Speaking to Azure, beside az; both to the emulated one
    Azure(bench::azure::Options),
    /// Building and pushing images, beside buildah and docker
    Build(bench::build::Options),
    /// Copying images between registries, beside skopeo, crane and oras
    Copy(bench::copy::Options),
    /// Starting: no-op steps, beside make, just, mise and crun
    Start {
        /// How often each contender runs
        #[arg(long, default_value_t = 21)]
        rounds: usize,
        /// Measure this program instead of a release build, and write no document
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
    },
    /// Keeping runs, and looking them up
    Watch(bench::watch::Options),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let repo = Repo::find()?;
    match &arguments.command {
        Command::Plugins { release: _, dev } => {
            plugins::build(&repo, if *dev { Flavour::Dev } else { Flavour::Release })
        }
        Command::Build { release } => {
            let profile = if *release { Profile::Release } else { Profile::Dev };
            println!("{}", binary::build(&repo, profile)?.display());
            Ok(())
        }
        Command::Demo { binary } => demo::run(&repo, binary.as_deref()),
        Command::Test { arguments } => test::all(&repo, arguments),
        Command::Ci { stages } => ci::run(&repo, stages),
        Command::Bench { what: Bench::Start { rounds, binary } } => {
            bench::start::run(&repo, *rounds, binary.as_deref())
        }
        Command::Bench { what: Bench::Build(options) } => bench::build::run(&repo, options),
        Command::Bench { what: Bench::Watch(options) } => bench::watch::run(&repo, options),
        Command::Bench { what: Bench::Azure(options) } => bench::azure::run(&repo, options),
        Command::Bench { what: Bench::Copy(options) } => bench::copy::run(&repo, options),
        Command::VerifyAz { az } => verify_az::run(&repo, az.as_deref()),
        Command::Measure { line, words } => bench::measure::in_this_process(words, line.as_deref()),
    }
}
