//! The commit that a branch is at, by the git that is installed.
//!
//! Git knows how to reach repositories: its configuration has the user's credentials, keys and
//! proxies. It is asked, and nothing is fetched.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use record::trigger::Commit;
use report::{Fault, Kind};

use crate::settings::Settings;

/// A repository that takes longer is in trouble.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the environment could say of another repository than the one that is asked.
const FOREIGN: [&str; 4] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE"];

/// The commit of `branch` of `repository`, which is a URL or a folder relative to `base`; without a
/// branch, of the one that the repository points at.
///
/// # Errors
/// [`Kind::NotFound`] if there is no git, no repository or no branch; else what git says.
pub(super) async fn commit(
    repository: &str,
    branch: Option<&str>,
    base: &Path,
    settings: &Settings,
) -> Result<Commit, Fault> {
    let git = settings.program("git").ok_or_else(|| {
        Fault::new(Kind::NotFound, "git is not installed, and looks at repositories")
            .help("`apt-get install git`")
    })?;
    let folder = base.join(repository);
    let (reference, id) = match folder.is_dir() {
        true => of_folder(&git, &folder, branch).await?,
        false => of_url(&git, repository, branch).await?,
    };
    Ok(Commit { repository: repository.to_owned(), reference, id })
}

async fn of_folder(
    git: &Path,
    folder: &Path,
    branch: Option<&str>,
) -> Result<(String, String), Fault> {
    let folder = folder.to_string_lossy();
    let reference = match branch {
        Some(branch) => in_full(branch),
        None => {
            let said = ask(git, &["-C", &folder, "symbolic-ref", "--quiet", "HEAD"]).await?;
            match said.status.success() {
                true => text(&said.stdout),
                // A commit is checked out, and no branch.
                false => "HEAD".to_owned(),
            }
        }
    };
    let commit = format!("{reference}^{{commit}}");
    let said = ask(git, &["-C", &folder, "rev-parse", "--verify", "--quiet", &commit]).await?;
    match said.status.success() {
        true => Ok((reference, text(&said.stdout))),
        false => Err(refused(&said, &reference)),
    }
}

async fn of_url(
    git: &Path,
    repository: &str,
    branch: Option<&str>,
) -> Result<(String, String), Fault> {
    let wanted = branch.map_or_else(|| "HEAD".to_owned(), in_full);
    let said = ask(git, &["ls-remote", "--symref", "--", repository, &wanted]).await?;
    if !said.status.success() {
        return Err(refused(&said, &wanted));
    }
    let said = text(&said.stdout);
    // `ref: refs/heads/main<TAB>HEAD`, then `COMMIT<TAB>HEAD`; a pattern also finds longer names.
    let mut reference = wanted.clone();
    for line in said.lines() {
        match line.split_once('\t') {
            Some((target, name)) if name == wanted => match target.strip_prefix("ref: ") {
                Some(target) => reference = target.to_owned(),
                None => return Ok((reference, target.to_owned())),
            },
            Some(_) | None => {}
        }
    }
    Err(missing(&wanted))
}

fn in_full(branch: &str) -> String {
    match branch.starts_with("refs/") {
        true => branch.to_owned(),
        false => format!("refs/heads/{branch}"),
    }
}

async fn ask(git: &Path, arguments: &[&str]) -> Result<Output, Fault> {
    let mut command = tokio::process::Command::new(git);
    command
        .args(arguments)
        // Nobody is there to be asked; and no helper of a URL runs a command of its own.
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    let failed = |error: std::io::Error| {
        Fault::new(Kind::Failed, format!("`{}` cannot be run", git.display())).cause(error)
    };
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(failed),
        Err(_) => {
            let message = format!("git had no answer within {} s", PATIENCE.as_secs());
            Err(Fault::new(Kind::Transient, message))
        }
    }
}

fn refused(said: &Output, reference: &str) -> Fault {
    let error = text(&said.stderr);
    let lines: Vec<&str> = error.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.as_slice() {
        [] => missing(reference),
        [first, ..] => {
            let said = first.trim_start_matches("fatal: ");
            Fault::new(Kind::Failed, format!("git says: {said}"))
        }
    }
}

fn missing(reference: &str) -> Fault {
    let name = reference.trim_start_matches("refs/heads/");
    Fault::new(Kind::NotFound, format!("the repository has no branch `{name}`"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
