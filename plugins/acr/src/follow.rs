//! Waiting for the end of a run, and reading its log meanwhile.

use std::time::Duration;

use arm::{Arm, Http, Request, Response};
use serde_json::Value;
use windlass_plugin::{Error, Result};

use crate::log::Log;
use crate::run::{self, Run};
use crate::{Registry, TASKS};

/// What is asked of a log at once; az asks for 4 KiB, and so more often.
const PIECE: u64 = 256 * 1024;

/// The first pause when there is nothing new; it grows to [`LONGEST_PAUSE`], as az's.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// So many pauses in which nothing came, and the run itself is asked: one that was cancelled in its
/// queue has no log that would end.
const PATIENCE: u32 = 4;

/// How often a new link to the log is asked for: each is good for an hour.
const MOST_LINKS: u32 = 24;

/// The version of blobs that is spoken; every newer one answers ranges alike.
const BLOBS: &str = "2021-12-02";

/// Who waits.
pub struct Watcher<'a> {
    /// How long at most.
    pub limit: Duration,
    /// Is told each line of the log.
    pub line: &'a dyn Fn(&str),
}

impl std::fmt::Debug for Watcher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// What a look at a log gives.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// More of it; whether that was the last.
    More { piece: Vec<u8>, is_last: bool },
    /// Nothing new; whether nothing more will come.
    Nothing { is_last: bool },
    /// The link is no longer good.
    Over,
}

/// Waits until run `id` is over, and gives it as it is then, whatever became of it.
///
/// A log that cannot be read is no reason to stop: the run is then waited for without it.
///
/// # Errors
/// Those of Azure for the run; `timeout.azure` after the limit, which does not end the run.
pub fn follow<H: Http>(
    arm: &Arm<'_, H>,
    http: &H,
    registry: &Registry,
    id: &str,
    watcher: &Watcher<'_>,
) -> Result<Run> {
    let mut pause = Pause { begun: http.now(), limit: watcher.limit, idle: 0 };
    match read_log(arm, http, registry, id, watcher, &mut pause) {
        Ok(Some(run)) => return Ok(run),
        Ok(None) => {}
        Err(error) if error.is("timeout") => return Err(error),
        Err(error) => {
            let hint = error.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
            http.say(&format!("the log cannot be read, the run goes on: {error}{hint}"));
        }
    }
    pause.idle = 0;
    loop {
        let run = run::show(arm, registry, id)?;
        if run.status.is_final() {
            return Ok(run);
        }
        pause.wait(http, id)?;
    }
}

/// Tells the log until its end; the run, if that was asked meanwhile and is over.
fn read_log<H: Http>(
    arm: &Arm<'_, H>,
    http: &H,
    registry: &Registry,
    id: &str,
    watcher: &Watcher<'_>,
    pause: &mut Pause,
) -> Result<Option<Run>> {
    let mut link = Link::ask(arm, registry, id)?;
    let mut links = 1;
    let mut log = Log::default();
    if let Some(artifact) = &link.artifact {
        return whole(arm, http, registry, id, artifact, watcher, pause).map(Some);
    }
    let mut over = None;
    loop {
        match look(http, &link.log, log.taken())? {
            Look::More { piece, is_last } => {
                log.take(&piece).iter().for_each(|line| (watcher.line)(line));
                pause.idle = 0;
                if is_last {
                    break;
                }
                // A whole piece means that there is more.
                if piece.len() as u64 == PIECE {
                    continue;
                }
            }
            Look::Nothing { is_last: true } => break,
            Look::Over if links < MOST_LINKS => {
                link = Link::ask(arm, registry, id)?;
                links += 1;
            }
            Look::Over => {
                return Err(Error::new("denied.azure", "the links to the log are refused")
                    .hint("the firewall of the registry's storage may be why"));
            }
            // The run was over before this look: there is nothing more to come.
            Look::Nothing { .. } if over.is_some() => break,
            Look::Nothing { .. } if pause.idle >= PATIENCE => {
                let run = run::show(arm, registry, id)?;
                if run.status.is_final() {
                    over = Some(run);
                    continue;
                }
            }
            Look::Nothing { .. } => {}
        }
        pause.wait(http, id)?;
    }
    log.rest().iter().for_each(|line| (watcher.line)(line));
    Ok(over)
}

/// A log that is written as an artifact is there when the run is over, and whole.
fn whole<H: Http>(
    arm: &Arm<'_, H>,
    http: &H,
    registry: &Registry,
    id: &str,
    artifact: &str,
    watcher: &Watcher<'_>,
    pause: &mut Pause,
) -> Result<Run> {
    let run = loop {
        let run = run::show(arm, registry, id)?;
        if run.status.is_final() {
            break run;
        }
        pause.wait(http, id)?;
    };
    let response = http.send(&request::<H>("GET", artifact, None))?;
    if response.status == 200 {
        let mut log = Log::default();
        let lines = log.take(&response.body);
        lines.iter().chain(log.rest().iter()).for_each(|line| (watcher.line)(line));
    } else {
        http.say(&format!("the log cannot be read: its place answered {}", response.status));
    }
    Ok(run)
}

/// Where a log is. The links are good for whoever has them, and are told to nobody.
struct Link {
    log: String,
    artifact: Option<String>,
}

impl Link {
    fn ask<H: Http>(arm: &Arm<'_, H>, registry: &Registry, id: &str) -> Result<Self> {
        let place = run::place(registry, id)?;
        let value = arm.post(format!("{place}/listLogSasUrl"), TASKS, None)?.value;
        let text = |key: &str| {
            let text = value.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let odd = || Error::new("azure.odd-answer", "Azure did not say where the log is");
        let artifact = text("logArtifactLink");
        match (text("logLink"), artifact) {
            (log, Some(artifact)) => {
                Ok(Self { log: log.unwrap_or_default(), artifact: Some(artifact) })
            }
            (Some(log), None) => Ok(Self { log, artifact: None }),
            (None, None) => Err(odd()),
        }
    }
}

fn request<'a, H: Http>(
    method: &'static str,
    url: &str,
    from: Option<u64>,
) -> Request<'a, H::Secret> {
    let mut headers = vec![("x-ms-version", BLOBS.to_owned())];
    if let Some(from) = from {
        headers.push(("x-ms-range", format!("bytes={from}-{}", from + PIECE - 1)));
    }
    Request { method, url: url.to_owned(), headers, body: Vec::new() }
}

/// Asks for what is behind byte `from`.
fn look<H: Http>(http: &H, link: &str, from: u64) -> Result<Look> {
    let answer = match http.send(&request::<H>("GET", link, Some(from))) {
        Ok(answer) => answer,
        Err(error) if error.is("transient") || error.is("timeout") => {
            return Ok(Look::Nothing { is_last: false });
        }
        Err(error) => return Err(error),
    };
    match answer.status {
        206 => {
            let is_last = is_complete(&answer)
                && end_of(&answer).is_none_or(|end| from + answer.body.len() as u64 >= end);
            Ok(Look::More { is_last, piece: answer.body })
        }
        // A server without ranges answers with all of it.
        200 => {
            let skip = usize::try_from(from).unwrap_or(usize::MAX);
            let piece = answer.body.get(skip..).unwrap_or_default().to_vec();
            let is_last = is_complete(&answer);
            match piece.is_empty() {
                true => Ok(Look::Nothing { is_last }),
                false => Ok(Look::More { piece, is_last }),
            }
        }
        // There is nothing behind that byte; only a look at the whole says whether that is the end.
        416 => {
            let head = http.send(&request::<H>("HEAD", link, None))?;
            let length = head.header("content-length").and_then(|text| text.parse::<u64>().ok());
            let is_last = is_complete(&head) && length.is_none_or(|length| from >= length);
            Ok(Look::Nothing { is_last })
        }
        // Not before the first line; or Azure is busy.
        404 | 408 | 429 | 500..=599 => Ok(Look::Nothing { is_last: false }),
        401 | 403 => Ok(Look::Over),
        status => Err(Error::new("azure.refused", format!("the log's place answered {status}"))
            .hint("the run itself says how it ended")),
    }
}

/// Whether nothing more is written; the word says how the run ended, which its status says better.
fn is_complete(response: &Response) -> bool {
    response.header("x-ms-meta-complete").is_some()
}

/// The length of all of it, from `bytes 0-129/130`.
fn end_of(response: &Response) -> Option<u64> {
    response.header("content-range")?.rsplit('/').next()?.parse().ok()
}

/// Pauses that grow, and the end of all patience.
struct Pause {
    begun: Duration,
    limit: Duration,
    idle: u32,
}

impl Pause {
    fn wait<H: Http>(&mut self, http: &H, id: &str) -> Result<()> {
        // Doubled after every third, as az does.
        let pause = (FIRST_PAUSE * 2_u32.saturating_pow(self.idle / 3)).min(LONGEST_PAUSE);
        self.idle = self.idle.saturating_add(1);
        if http.now().saturating_sub(self.begun).saturating_add(pause) > self.limit {
            let seconds = self.limit.as_secs();
            return Err(Error::new(
                "timeout.azure",
                format!("run `{id}` was not over after {seconds} s"),
            )
            .hint("Azure goes on with it; give the step more time with `timeout`"));
        }
        http.sleep(pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
