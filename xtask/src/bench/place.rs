//! A registry that can be emptied between two runs, with its own account of what it was asked.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::children::Children;
use crate::registry::Registry;
use crate::{binary, files, shell};

/// How long a registry may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked.
const GLANCE: Duration = Duration::from_millis(5);
/// A log that did not grow for this long has everything: a line is written when a request ends.
const SETTLED: Duration = Duration::from_millis(40);
/// Linux counts the CPU time of processes in hundredths of a second, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// What serves.
#[derive(Clone)]
pub(super) enum Program {
    /// Debian's docker-registry.
    Docker(PathBuf),
    /// `windlass registry serve`.
    Own(PathBuf),
}

/// A registry of ours, which keeps its port when it is started again.
pub(super) struct Place {
    /// To speak to it, and to name images in it.
    pub(super) registry: Registry,
    program: Program,
    folder: PathBuf,
    child: Option<u32>,
}

/// A moment in a registry's life, to count from.
pub(super) struct Mark {
    log: u64,
    cpu: Duration,
}

/// What a registry did since a [`Mark`].
#[derive(Clone, Default)]
pub(super) struct Work {
    /// Requests by verb.
    pub(super) requests: Requests,
    /// User and system time.
    pub(super) cpu: Duration,
}

/// Requests by verb.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Requests(BTreeMap<String, u64>);

impl Place {
    /// Starts `program` on `folder`/data.
    pub(super) fn start(program: Program, folder: &Path, children: &Children) -> Result<Self> {
        // Whoever else takes the port before the registry does makes it fail, not lie.
        let free = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
        let address = free.local_addr()?.to_string();
        drop(free);
        files::make_folder(folder)?;
        let folder = folder.to_owned();
        let mut place = Self { registry: Registry { address }, program, folder, child: None };
        place.go(children)?;
        Ok(place)
    }

    /// Takes everything out, and starts it anew: nothing is left in memory either.
    pub(super) fn empty(&mut self, children: &Children) -> Result<()> {
        if let Some(child) = self.child.take() {
            children.stop(child);
        }
        let data = self.data();
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("{}", data.display()))?;
        }
        self.go(children)
    }

    /// Where the content of the blob `digest` lies, in a docker-registry.
    pub(super) fn blob_file(&self, digest: &str) -> PathBuf {
        let hash = digest.trim_start_matches("sha256:");
        let two = hash.get(..2).unwrap_or_default();
        self.data().join("docker/registry/v2/blobs/sha256").join(two).join(hash).join("data")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("requests.log")
    }

    fn go(&mut self, children: &Children) -> Result<()> {
        let log = File::create(self.log()).context("no log can be made")?;
        let mut command = self.command()?;
        match &self.program {
            Program::Docker(_) => command.stdout(log).stderr(Stdio::null()),
            Program::Own(_) => command.stdout(Stdio::null()).stderr(log),
        };
        self.child = Some(children.start(command.stdin(Stdio::null()))?.id);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(&self.registry.address).is_err() {
            if Instant::now() > deadline {
                bail!("the registry does not answer: {}", shell::show(&command));
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    fn command(&self) -> Result<Command> {
        let address = &self.registry.address;
        match &self.program {
            Program::Own(program) => {
                let mut command = binary::at_home(program, &self.folder);
                command.args(["registry", "serve", "--quiet", "--access-log", "--listen", address]);
                command.arg("--root").arg(self.data());
                Ok(command)
            }
            Program::Docker(program) => {
                let settings = self.folder.join("registry.yml");
                let text = format!(
                    "version: 0.1\nlog: {{level: error}}\nstorage:\n  \
                     filesystem: {{rootdirectory: '{}'}}\n  cache: {{blobdescriptor: inmemory}}\n  \
                     maintenance: {{uploadpurging: {{enabled: false}}}}\n\
                     http: {{addr: '{address}', secret: on-this-machine-only}}\n",
                    self.data().display()
                );
                files::write(&settings, text.as_bytes())?;
                let mut command = Command::new(program);
                command.arg("serve").arg(settings);
                // Every variable of that kind would be a setting.
                for (name, _) in std::env::vars_os() {
                    if name.to_string_lossy().starts_with("REGISTRY_") {
                        command.env_remove(name);
                    }
                }
                Ok(command)
            }
        }
    }

    /// Now.
    pub(super) fn mark(&self) -> Result<Mark> {
        Ok(Mark { log: self.settled()?, cpu: self.cpu()? })
    }

    /// What was done since `mark`.
    pub(super) fn since(&self, mark: &Mark) -> Result<Work> {
        self.settled()?;
        let mut file = File::open(self.log()).context("the log is gone")?;
        file.seek(SeekFrom::Start(mark.log))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Work { requests: Requests::read(&text), cpu: self.cpu()?.saturating_sub(mark.cpu) })
    }

    /// Waits until the log is complete; how long it is.
    fn settled(&self) -> Result<u64> {
        let mut before = None;
        loop {
            let now = std::fs::metadata(self.log()).context("the log is gone")?.len();
            if before.replace(now) == Some(now) {
                return Ok(now);
            }
            std::thread::sleep(SETTLED);
        }
    }

    /// proc(5), `/proc/pid/stat`: `utime` and `stime` are the 14th and 15th field, the second is in
    /// brackets and may hold anything.
    fn cpu(&self) -> Result<Duration> {
        let child = self.child.context("the registry does not run")?;
        let text = std::fs::read_to_string(format!("/proc/{child}/stat"))
            .context("the registry has ended")?;
        let fields = text.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        let ticks: u32 = fields.filter_map(|field| field.parse::<u32>().ok()).sum();
        Ok(TICK * ticks)
    }
}

impl Work {
    /// What several did, as if they were one.
    pub(super) fn add(&mut self, other: &Self) {
        self.cpu += other.cpu;
        for (verb, count) in &other.requests.0 {
            *self.requests.0.entry(verb.clone()).or_default() += count;
        }
    }
}

impl Requests {
    /// Of a log with a request in each line: `… "GET /v2/ HTTP/1.1" …`, or `GET /v2/ …`.
    fn read(log: &str) -> Self {
        let verbs = log.lines().filter_map(|line| {
            let request = line.split_once('"').map_or(line, |(_, request)| request);
            let (verb, rest) = request.split_once(' ')?;
            let is_verb = verb.chars().all(|c| c.is_ascii_uppercase());
            (is_verb && rest.starts_with('/')).then(|| verb.to_owned())
        });
        let mut all = Self::default();
        for verb in verbs {
            *all.0.entry(verb).or_default() += 1;
        }
        all
    }

    /// All of them.
    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// `14: HEAD 1, POST 6, PUT 7`
impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total())?;
        for (number, (verb, count)) in self.0.iter().enumerate() {
            write!(f, "{} {verb} {count}", if number == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_from_both_kinds_of_log() {
        let docker = "127.0.0.1 - - [22/Nov/2026:20:31:18 +0000] \"HEAD /v2/a/manifests/v1 \
                      HTTP/1.1\" 404 96 \"\" \"crane\"\n\
                      127.0.0.1 - - [22/Nov/2026:20:31:18 +0000] \"PUT /v2/a HTTP/1.1\" 201 0\n";
        assert_eq!(Requests::read(docker).to_string(), "2: HEAD 1, PUT 1");
        let own = "GET /v2/ 200 1 ms\nserving x; Ctrl-C ends it\nGET /v2/a 404 0 ms\n";
        assert_eq!(Requests::read(own).to_string(), "2: GET 2");
        assert_eq!(Requests::read("").to_string(), "0");
    }
}
