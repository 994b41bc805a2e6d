//! The second act, after a tutorial of Azure's: an application is built on a base image of another
//! registry, and again by itself when that base image is another one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{Stage, root, title};
use crate::{files, shell};

/// What the files say, and what the demo says instead.
const VERSION: [&str; 2] = ["9.11.2", "9.11.2a"];
const EVERY: [&str; 2] = ["every = \"5m\"", "every = \"1s\""];

/// Where the application goes.
const APP: &str = "helloworld";

/// A look, a build and a push take some seconds; a busy machine may need more.
const PATIENCE: Duration = Duration::from_secs(180);

/// Shows it.
pub(super) fn show(stage: &Stage<'_>) -> Result<()> {
    let folder = stage.folder.join("rebuild");
    copy(&stage.repo.root().join("pipelines/rebuild"), &folder)?;
    change(&folder.join("rebuild.toml"), EVERY)?;
    let from = root::push(&stage.source, &stage.folder)?;
    let from = format!("from={from}");
    let bases = format!("bases={}", stage.source.address);
    let apps = format!("apps={}", stage.target.address);
    let base = ["run", "base.toml", "--input", &from, "--input", &bases];
    let app = ["rebuild.toml", "--input", &bases, "--input", &apps];

    title("A base image, built into the source from pipelines/rebuild/Dockerfile-base")?;
    run(stage, &folder, &base)?;

    title("An application, built on it into the target")?;
    if let Err(error) = run(stage, &folder, &[&["run"], &app[..]].concat()) {
        return no_sandbox(stage, &folder).ok_or(error)?;
    }
    show_version(stage, VERSION[0])?;

    title("Whenever its base image is another one, it is built again")?;
    say!("  $ windlass watch {} &\n", app.join(" "));
    let mut watch = stage.windlass();
    watch.current_dir(&folder).arg("watch").args(app);
    let said = stage.children.start(watch.stdin(Stdio::null()).stderr(Stdio::piped()))?;
    let lines = lines(said.stderr.context("its errors are not piped")?);
    listen(&lines, |line| line.contains("watching"))?;

    title("Somebody changes the base image")?;
    say!("  - ENV NODE_VERSION={}", VERSION[0]);
    say!("  + ENV NODE_VERSION={}", VERSION[1]);
    change(&folder.join("Dockerfile-base"), VERSION)?;
    run(stage, &folder, &base)?;

    title("Nobody does anything")?;
    let last = listen(&lines, |line| line.starts_with("run ") && line.contains(" in "))?;
    ensure!(last.contains("succeeded"), "the application was not built again: {last}");
    stage.children.stop(said.id);

    title("What was run, and what it was built on")?;
    run(stage, &folder, &["runs"])?;
    show_version(stage, VERSION[1])
}

/// Runs windlass in `folder`.
fn run(stage: &Stage<'_>, folder: &Path, arguments: &[&str]) -> Result<()> {
    say!("  $ windlass {}\n", arguments.join(" "));
    let status = stage.children.run(stage.windlass().current_dir(folder).args(arguments))?;
    ensure!(status.success(), "windlass {}: {status}", arguments.join(" "));
    Ok(())
}

/// Whether the last run could not be because this machine gives no sandbox to a command of a build:
/// then the program has said what helps, and the demo is over.
fn no_sandbox(stage: &Stage<'_>, folder: &Path) -> Option<Result<()>> {
    let json = |arguments: &[&str]| {
        let mut command = stage.windlass();
        let text = shell::capture(command.current_dir(folder).args(arguments)).ok()?;
        serde_json::from_str::<Value>(&text).ok()
    };
    let runs = json(&["runs", "--last", "1", "--format", "json"])?;
    let run = json(&["runs", "show", runs.pointer("/0/id")?.as_str()?, "--format", "json"])?;
    let say = || {
        say!(
            "\n  A command of a build has a sandbox, and this machine allows none: see above what"
        );
        say!("  helps. The second act needs one, and ends here.");
        Ok(())
    };
    run.to_string().contains("\"build.run-").then(say)
}

/// Shows which version the newest image of the application was built on, and sees that it is `wanted`.
fn show_version(stage: &Stage<'_>, wanted: &str) -> Result<()> {
    let mut found = Vec::new();
    for tag in stage.target.tags(APP)? {
        let config = stage.target.config(APP, &tag)?;
        let variables = config.pointer("/config/Env").and_then(Value::as_array);
        let mut variables = variables.into_iter().flatten().filter_map(Value::as_str);
        let version = variables.find_map(|it| it.strip_prefix("NODE_VERSION="));
        let version = version.context("the image says no version")?.to_owned();
        say!("  {}/{APP}:{tag}  NODE_VERSION={version}", stage.target.address);
        found.push(version);
    }
    ensure!(found.iter().any(|version| version == wanted), "no image is built on {wanted}");
    Ok(())
}

/// The lines that a child writes, while it does.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // At the end nobody listens, which is fine: the child goes on writing.
            send.send(line).ok();
        }
    });
    receive
}

/// Shows lines up to the one that `is_it` likes, and gives that.
fn listen(lines: &Receiver<String>, is_it: impl Fn(&str) -> bool) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).context("windlass watch has ended, or says nothing")?;
        say!("{line}");
        if is_it(&line) {
            return Ok(line);
        }
    }
}

/// Copies the files of one folder.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).with_context(|| format!("{}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().context("a file without a name")?;
        files::write(&to.join(name), &files::read(&path)?)?;
    }
    Ok(())
}

/// Writes `new` where `path` says `old`.
fn change(path: &Path, [old, new]: [&str; 2]) -> Result<()> {
    let text = files::read_text(path)?;
    if !text.contains(old) {
        bail!("{} does not say `{old}`", path.display());
    }
    files::write(path, text.replace(old, new).as_bytes())
}
