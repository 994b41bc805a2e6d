//! Who is logged in with the Azure CLI: `az account get-access-token`.
//!
//! `az` is started only if it is on the `PATH` and only for this; no secret is in its arguments, no
//! shell is in between, its answer is bounded in size and time, and what it says on standard error is
//! shown in one line, without the token that it never holds.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::entra::Secrecy;
use super::{Found, Looked};
use crate::answer::shown;
use crate::error::Error;
use crate::identity::Identity;
use crate::link::Link;
use crate::token::Token;

/// `az` takes seconds to begin with, and may have to renew what it knows.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tokens have some kilobytes.
const LARGEST_ANSWER: u64 = 256 * 1024;

/// Characters of its error that are read; what matters stands at the beginning.
const LARGEST_ERROR: u64 = 16 * 1024;

/// What people are told where nobody is logged in.
const LOG_IN: &str = "run `az login`";

#[derive(Deserialize)]
struct Given {
    #[serde(rename = "accessToken")]
    token: Secrecy,
    /// Seconds since 1970; `expiresOn` is local time and is not used.
    #[serde(default)]
    expires_on: Option<i64>,
}

struct Ended {
    succeeded: bool,
    said: Zeroizing<Vec<u8>>,
    error: String,
}

/// A token for `resource` of who is logged in.
pub(crate) async fn token(identity: &Identity, resource: &str) -> Looked<Token> {
    let Some(program) = identity.az() else {
        return Ok(Found::nothing("`az` is not on the PATH", "install the Azure CLI"));
    };
    let failed = |why: String| Error::Missing {
        identity: identity.name().to_owned(),
        link: Link::Cli,
        why,
        help: LOG_IN.to_owned(),
    };
    let tenant = identity.own_tenant();
    let asked = Instant::now();
    let ended = tokio::time::timeout(PATIENCE, run(program, resource, tenant))
        .await
        .map_err(|_| failed(format!("`az` did not end within {} s", PATIENCE.as_secs())))?
        .map_err(|error| failed(format!("`az` cannot be started: {error}")))?;
    if !ended.succeeded {
        // Nobody is logged in, or not any more: that is the usual reason, and no accident.
        return Ok(Found::nothing(format!("`az` has no token: {}", ended.error), LOG_IN));
    }
    let given: Given = serde_json::from_slice(&ended.said).map_err(|_| {
        failed("its answer is not the JSON of `az account get-access-token`".into())
    })?;
    // Old versions do not say when it ends; the token does.
    let end = given.expires_on.or_else(|| crate::jwt::expiry(given.token.as_str()));
    let life = end.map_or(0, |end| end.saturating_sub(identity.now()));
    let life = Duration::from_secs(u64::try_from(life).unwrap_or_default());
    Ok(Found::Some(Token::new(given.token.into_secret(), asked, life)))
}

async fn run(program: &Path, resource: &str, tenant: Option<&str>) -> std::io::Result<Ended> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one program of Azure's that is started, to ask who is logged in"
    )]
    let command = std::process::Command::new(program);
    let mut command = tokio::process::Command::from(command);
    command.args(["account", "get-access-token", "--output", "json", "--resource", resource]);
    if let Some(tenant) = tenant {
        command.args(["--tenant", tenant]);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut said = Zeroizing::new(Vec::new());
    let mut error = Vec::new();
    let read_said = async {
        match stdout {
            Some(stdout) => stdout.take(LARGEST_ANSWER).read_to_end(&mut said).await,
            None => Ok(0),
        }
    };
    let read_error = async {
        let Some(mut stderr) = stderr else { return Ok(0) };
        (&mut stderr).take(LARGEST_ERROR).read_to_end(&mut error).await?;
        // Warnings behind it are read and dropped, so that `az` is not held up; not without end.
        tokio::io::copy(&mut stderr.take(LARGEST_ANSWER), &mut tokio::io::sink()).await
    };
    let (first, second) = futures::join!(read_said, read_error);
    first?;
    second?;
    let succeeded = child.wait().await?.success();
    let error = shown(&String::from_utf8_lossy(&error));
    Ok(Ended { succeeded, said, error: error.trim_start_matches("ERROR: ").to_owned() })
}
