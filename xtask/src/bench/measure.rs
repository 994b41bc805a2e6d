//! What one whole process costs: wall time, CPU time, memory, and when it first says a word.
//!
//! Each process is started by a fresh copy of this program (`cargo xtask measure`, not listed),
//! which has no other child: so what the kernel adds up for its children is that process alone,
//! with all that it waited for. Memory is the largest of them, and never less than the starter's
//! own few megabytes, which the kernel counts up to the moment of exec.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::{Value, json};

use crate::shell;

/// What one process cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// From before it was started until it was gone.
    pub(crate) wall: Duration,
    /// User and system time, of its children too.
    pub(crate) cpu: Duration,
    /// Largest resident set, in KiB.
    pub(crate) memory_kib: u64,
    /// From before it was started until it printed the awaited line; `None`: none was awaited.
    pub(crate) line: Option<Duration>,
}

/// Runs `command` once, by way of a fresh copy of this program. `line`: a part of the line on its
/// standard output to wait for. `around`: a program with arguments that starts that copy, uncounted.
///
/// # Errors
/// It cannot be started, fails, or never prints the line; the message has the command.
pub(crate) fn once(command: &Command, line: Option<&str>, around: &[&str]) -> Result<Cost> {
    let own = std::env::current_exe().context("this program has no path")?;
    let mut starter = match around.split_first() {
        None => Command::new(own),
        Some((program, arguments)) => {
            let mut starter = Command::new(program);
            starter.args(arguments).arg(own);
            starter
        }
    };
    starter.arg("measure");
    if let Some(line) = line {
        starter.args(["--line", line]);
    }
    starter.arg("--").arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        starter.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => starter.env(name, value),
            None => starter.env_remove(name),
        };
    }
    let text = shell::capture(starter.stdin(Stdio::null()))
        .with_context(|| format!("cannot measure {}", shell::show(command)))?;
    let cost: Value = serde_json::from_str(&text).context("the measurement is not JSON")?;
    let number = |name: &str| cost.get(name).and_then(Value::as_u64);
    let time = |name: &str| number(name).map(Duration::from_nanos);
    Ok(Cost {
        wall: time("wall-ns").context("no wall time")?,
        cpu: time("cpu-ns").context("no CPU time")?,
        memory_kib: number("memory-kib").context("no memory")?,
        line: time("line-ns"),
    })
}

/// The other side of [`once`]: runs `words` and prints what it cost as JSON.
pub(crate) fn in_this_process(words: &[OsString], line: Option<&str>) -> Result<()> {
    let (program, arguments) = words.split_first().context("no program to measure")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    command.stdout(if line.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {program:?}"))?;
    let errors = child.stderr.take().context("no standard error")?;
    let said = std::thread::spawn(move || std::io::read_to_string(errors).unwrap_or_default());
    let mut seen = None;
    if let (Some(part), Some(output)) = (line, child.stdout.take()) {
        for text in BufReader::new(output).lines() {
            if text.context("cannot read what the process prints")?.contains(part) {
                seen = seen.or_else(|| Some(start.elapsed()));
            }
        }
    }
    let status = child.wait().context("cannot wait for the process")?;
    let wall = start.elapsed();
    let said = said.join().unwrap_or_default();
    if !status.success() {
        bail!("{status}\n{said}");
    }
    if line.is_some() && seen.is_none() {
        bail!("it never printed the awaited line");
    }
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).context("the kernel counts nothing")?;
    let cpu = used.user_time() + used.system_time();
    let cost = json!({
        "wall-ns": u64::try_from(wall.as_nanos())?,
        "cpu-ns": u64::try_from(cpu.num_nanoseconds())?,
        "memory-kib": u64::try_from(used.max_rss())?,
        "line-ns": seen.map(|seen| u64::try_from(seen.as_nanos())).transpose()?,
    });
    println!("{cost}");
    Ok(())
}
