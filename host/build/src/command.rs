//! Commands: `RUN` of a Dockerfile, and what else is run to make a layer.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use oci::Digest;
use report::Secret;

use crate::error::{Error, blocking};
use crate::exec::{self, Exit, Network, Stop, Stream};
use crate::filesystem::Filesystem;
use crate::key::KeyWriter;
use crate::layer::Layer;
use crate::layer::chain_id;
use crate::snapshot::Snapshot;
use crate::store::{CacheMount, Sharing, Work};

/// Between two looks at a locked cache directory.
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// A command, and what it sees besides the filesystem.
#[derive(Clone)]
pub struct Command {
    /// The program and its arguments.
    pub arguments: Vec<String>,
    /// As people know it: `RUN make`.
    pub title: String,
    /// Its environment.
    pub environment: Vec<(String, String)>,
    /// More of it, which does not count for the cache: proxies.
    pub ambient: Vec<(String, String)>,
    /// Where it starts.
    pub directory: String,
    /// `USER[:GROUP]`; root if empty.
    pub user: String,
    /// Whose network it sees.
    pub network: Network,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
}

/// Something that a command sees and that is no part of the layer.
#[derive(Clone)]
pub enum Mount {
    /// A file, executable for everybody.
    Script {
        /// Where.
        path: String,
        /// Its bytes.
        content: Vec<u8>,
    },
    /// A directory that stays.
    Cache {
        /// Where.
        target: String,
        /// Which.
        id: String,
        /// Who else may use it meanwhile.
        sharing: Sharing,
        /// Permission bits of a new one.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Whether it can be written.
        access: exec::Access,
    },
    /// Files of another filesystem.
    Files {
        /// Where.
        target: String,
        /// Whose.
        filesystem: Filesystem,
        /// Which; the whole if empty.
        source: String,
        /// Whether it can be written; what is written is lost.
        access: exec::Access,
    },
    /// Memory.
    Tmpfs {
        /// Where.
        target: String,
        /// Bytes.
        size: Option<u64>,
    },
    /// A secret as a file.
    Secret {
        /// Where.
        target: String,
        /// What the pipeline calls it.
        name: String,
        /// Its bytes.
        bytes: Secret,
        /// Permission bits.
        mode: u32,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// A secret as a variable.
    SecretVariable {
        /// The variable.
        variable: String,
        /// What the pipeline calls it.
        name: String,
        /// Its bytes.
        bytes: Secret,
    },
}

/// Who hears what a command says, line by line; the first line is its title.
pub type OnLine = Arc<dyn Fn(Stream, &[u8]) + Send + Sync>;

/// How long an end by force may take: killing and waiting for the dead.
const LAST_MOMENT: std::time::Duration = std::time::Duration::from_secs(2);

/// Ends the command when whoever waits for it goes away.
struct StopOnDrop {
    stop: Option<Stop>,
    /// Hangs up when the command is gone.
    end: mpsc::Receiver<()>,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.stop();
            // The process may be about to end. What the command wrote is only removed if it is gone
            // by then; if it is not, the next build removes it.
            let _gone = self.end.recv_timeout(LAST_MOMENT);
        }
    }
}

impl Filesystem {
    /// It with what `command` changes. Dropping the future ends the command and all its children.
    ///
    /// # Errors
    /// [`Error::Command`] if it does not end with 0.
    pub async fn run(&self, command: Command, line: OnLine) -> Result<(Self, bool), Error> {
        let key = self.command_key(&command);
        if let Some(known) = self.builder.remembered(&key, self).await? {
            return Ok((known, true));
        }
        let layer = self.execute(command, line).await?;
        self.builder.remember(&key, layer.as_ref()).await?;
        let changed = match layer {
            Some(layer) => self.with_layer(layer, None),
            None => self.clone(),
        };
        Ok((changed, false))
    }

    /// What the result depends on. Not what a secret is, nor what a cache directory holds: those
    /// are for commands that give the same whatever is in there.
    fn command_key(&self, command: &Command) -> Digest {
        let (epoch, compression, platform) = {
            let settings = self.builder.settings();
            let platform = settings.platform.to_string();
            (settings.source_date_epoch, format!("{:?}", settings.compression), platform)
        };
        let pairs: Vec<String> =
            command.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let key = KeyWriter::new("run")
            .text("below", &self.key())
            .text("platform", &platform)
            .list("arguments", &command.arguments)
            .list("environment", &pairs)
            .text("directory", &command.directory)
            .text("user", &command.user)
            .text("network", if command.network == Network::Host { "host" } else { "none" })
            .number("epoch", epoch)
            .text("compression", &compression);
        command.mounts.iter().fold(key, mount_key).finish()
    }

    async fn execute(&self, command: Command, line: OnLine) -> Result<Option<Layer>, Error> {
        let title = command.title.clone();
        line(Stream::Out, title.as_bytes());
        let snapshot = self.snapshot().await?;
        let mut sources = Vec::new();
        for mount in &command.mounts {
            sources.push(match mount {
                Mount::Files { filesystem, .. } => filesystem.snapshot().await?.lower(),
                Mount::Script { .. }
                | Mount::Cache { .. }
                | Mount::Tmpfs { .. }
                | Mount::Secret { .. }
                | Mount::SecretVariable { .. } => Vec::new(),
            });
        }
        let work = self.builder.work().await?;
        let caches = self.caches(&work, &command.mounts).await?;
        let engine = self.builder.engine().clone();
        let (network, title_of_help) = (command.network, title.clone());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (hangs_up, end) = mpsc::channel::<()>();
        let ran = {
            let work = Arc::clone(&work);
            let lower = snapshot.lower();
            let run = move || {
                let directories = Directories::new(&work)?;
                let options = engine.options();
                let (hosts, resolv_conf) = match command.network {
                    Network::None => (b"127.0.0.1\tlocalhost\n::1\tlocalhost\n".to_vec(), None),
                    Network::Host => {
                        let files = &options.network_files;
                        (read(&files.hosts), Some(read(&files.resolv_conf)))
                    }
                };
                let run = exec::Run {
                    lower,
                    upper: directories.upper.clone(),
                    work: directories.work.clone(),
                    scratch: directories.scratch.clone(),
                    hostname: "buildkitsandbox".to_owned(),
                    network: command.network,
                    hosts,
                    resolv_conf,
                    mounts: mounts(command.mounts, sources, &caches),
                    user: command.user,
                    directory: command.directory,
                    environment: [command.environment, command.ambient].concat(),
                    arguments: command.arguments,
                };
                let executor = engine.executor()?;
                let fault = |error: exec::ExecError| Error::from(report::Fault::from(error));
                let running = executor.start(&run).map_err(fault)?;
                // Nobody waits any more: then dropping `running` ends it.
                if stop.send(running.stop()).is_err() {
                    return Err(Error::Stopped { title: command.title });
                }
                let exit = running.wait(&mut |stream, text| line(stream, text)).map_err(fault)?;
                drop(caches);
                Ok((exit, directories))
            };
            tokio::task::spawn_blocking(move || {
                let ran = run();
                drop(hangs_up);
                ran
            })
        };
        let mut guard = StopOnDrop { stop: stopped.await.ok(), end };
        let (exit, directories) = ran.await.map_err(Error::Broken)??;
        guard.stop = None;
        match exit {
            Exit::Code(0) => {}
            Exit::Code(code) => {
                let how = format!("exit code {code}");
                return Err(failed(title_of_help, how, code, network, self.advice()));
            }
            Exit::Signal(signal) => {
                let how = format!("signal {signal}");
                return Err(failed(title_of_help, how, 128, network, self.advice()));
            }
            Exit::Stopped => return Err(Error::Stopped { title }),
        }
        self.layer_of(work, directories, snapshot).await
    }

    /// What commands of this user cannot do.
    fn advice(&self) -> Option<String> {
        self.builder.engine().executor().ok()?.mapping().advice()
    }

    async fn caches(
        &self,
        work: &Arc<Work>,
        mounts: &[Mount],
    ) -> Result<Vec<Option<CacheMount>>, Error> {
        let mut caches = Vec::new();
        for mount in mounts {
            let Mount::Cache { id, sharing, .. } = mount else {
                caches.push(None);
                continue;
            };
            caches.push(Some(loop {
                let (work, id, sharing) = (Arc::clone(work), id.clone(), *sharing);
                if let Some(cache) = blocking(move || Ok(work.cache_mount(&id, sharing)?)).await? {
                    break cache;
                }
                // Somebody else has it, for as long as their command takes.
                tokio::time::sleep(LOCK_PAUSE).await;
            }));
        }
        Ok(caches)
    }

    /// What the command changed, as a layer in the store; none if it changed nothing.
    async fn layer_of(
        &self,
        work: Arc<Work>,
        directories: Directories,
        snapshot: Snapshot,
    ) -> Result<Option<Layer>, Error> {
        let engine = self.builder.engine().clone();
        let options = self.builder.layer_options();
        let below = self.chain().copied();
        blocking(move || {
            let new = work.new_blob()?;
            let upper = &directories.upper;
            let Some(layer) = engine.pack(upper, &snapshot, new.path(), &options)? else {
                return Ok(None);
            };
            work.publish_blob(new, &layer.descriptor.digest, layer.descriptor.size)?;
            // The directory is the layer, unpacked already.
            let chain = chain_id(below.as_ref(), &layer.diff_id);
            work.publish_snapshot(directories.upper, &chain, layer.size)?;
            Ok(Some(layer))
        })
        .await
    }
}

/// Where a command works; removed with the build's room at the latest.
struct Directories {
    upper: PathBuf,
    work: PathBuf,
    scratch: PathBuf,
}

impl Directories {
    fn new(work: &Work) -> Result<Self, Error> {
        Ok(Self {
            upper: work.directory("upper")?,
            work: work.directory("work")?,
            scratch: work.directory("scratch")?,
        })
    }
}

fn mount_key(key: KeyWriter, mount: &Mount) -> KeyWriter {
    let access = |access: &exec::Access| match access {
        exec::Access::Read => "read",
        exec::Access::Write => "write",
    };
    match mount {
        Mount::Script { path, content } => key.text("script", path).bytes("content", content),
        Mount::Cache { target, id, access: may, .. } => {
            key.text("cache", target).text("id", id).text("access", access(may))
        }
        Mount::Files { target, filesystem, source, access: may } => key
            .text("files", target)
            .text("filesystem", &filesystem.key())
            .text("source", source)
            .text("access", access(may)),
        Mount::Tmpfs { target, .. } => key.text("tmpfs", target),
        Mount::Secret { target, name, .. } => key.text("secret", target).text("name", name),
        Mount::SecretVariable { variable, name, .. } => {
            key.text("secret-variable", variable).text("name", name)
        }
    }
}

fn mounts(
    mounts: Vec<Mount>,
    sources: Vec<Vec<PathBuf>>,
    caches: &[Option<CacheMount>],
) -> Vec<exec::Mount> {
    let with_places = mounts.into_iter().zip(sources).zip(caches);
    with_places
        .map(|((mount, source), cache)| match mount {
            Mount::Script { path, content } => {
                let bytes = Secret::new(content);
                let kind = exec::MountKind::Secret { bytes, mode: 0o755, uid: 0, gid: 0 };
                exec::Mount { target: path, kind }
            }
            Mount::Cache { target, mode, uid, gid, access, .. } => {
                let directory = cache.as_ref().map(|cache| cache.path.clone()).unwrap_or_default();
                let kind = exec::MountKind::Cache { directory, mode, uid, gid, access };
                exec::Mount { target, kind }
            }
            Mount::Files { target, source: path, access, .. } => {
                exec::Mount { target, kind: exec::MountKind::Bind { source, path, access } }
            }
            Mount::Tmpfs { target, size } => {
                exec::Mount { target, kind: exec::MountKind::Tmpfs { size } }
            }
            Mount::Secret { target, bytes, mode, uid, gid, .. } => {
                exec::Mount { target, kind: exec::MountKind::Secret { bytes, mode, uid, gid } }
            }
            Mount::SecretVariable { variable, bytes, .. } => {
                let kind = exec::MountKind::SecretVariable { name: variable, bytes };
                exec::Mount { target: String::new(), kind }
            }
        })
        .collect()
}

/// A file of the machine that tells names; one that is not there tells none.
fn read(path: &std::path::Path) -> Vec<u8> {
    fs_err::read(path).unwrap_or_default()
}

/// What may help depends on what the command could not do, which only its words say.
fn failed(
    title: String,
    how: String,
    code: i32,
    network: Network,
    advice: Option<String>,
) -> Error {
    let mut help = Vec::new();
    match (code, network) {
        (127, _) => help.push("the program is not in the image: install it, or name its path"),
        (126, _) => {
            help.push("the program cannot be executed: is it for this machine, and `chmod +x`?");
        }
        (_, Network::None) => help.push(
            "if it needs the network, which no command has by default: `network = \"host\"` under \
             `with`",
        ),
        (_, Network::Host) => {}
    }
    help.extend(advice.as_deref());
    let help = (!help.is_empty()).then(|| help.join("; "));
    Error::Command { title, how, help }
}
