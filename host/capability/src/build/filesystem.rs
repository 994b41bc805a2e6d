//! Filesystems of a step's build, and what is done to them.

use std::sync::{Arc, Mutex, PoisonError};

use build::exec::{Access, Network, Stream};
use report::{Fault, Kind};

use super::{BuildCommand, BuildCopy, CommandMount, CopySource, GrantedBuild};
use crate::call::Effect;
use crate::grant::Want;
use crate::log::LineWriter;
use crate::voice::{Level, Use};

/// A root filesystem of a build.
#[derive(Clone)]
pub struct BuildFilesystem {
    pub(super) granted: GrantedBuild,
    pub(super) filesystem: build::Filesystem,
    /// Whether what made it was taken from the cache.
    pub(super) is_cached: bool,
}

/// How a bill of materials is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillFormat {
    /// SPDX 2.3.
    Spdx,
    /// CycloneDX 1.6.
    CycloneDx,
}

impl BuildFilesystem {
    /// The configuration of the image that it began with.
    pub fn config(&self) -> Option<String> {
        self.filesystem.base().map(|base| base.config.clone())
    }

    /// The digest of that image's manifest for the platform.
    pub fn digest(&self) -> Option<String> {
        self.filesystem.base().map(|base| base.manifest.to_string())
    }

    /// The digest that its reference pointed at.
    pub fn resolved(&self) -> Option<String> {
        self.filesystem.base().map(|base| base.resolved.to_string())
    }

    /// Its reference in full, without digest.
    pub fn name(&self) -> Option<String> {
        self.filesystem.base().map(|base| base.name.clone())
    }

    /// How many layers there are above those of the base.
    pub fn new_layers(&self) -> u32 {
        u32::try_from(self.filesystem.new_layers()).unwrap_or(u32::MAX)
    }

    /// Whether what made it was taken from the cache.
    pub fn was_cached(&self) -> bool {
        self.is_cached
    }

    /// With what `request` copies.
    ///
    /// # Errors
    /// `not-found.build`, `invalid.build`, `denied.http`, …
    pub async fn copy(&self, request: BuildCopy) -> Result<Self, Fault> {
        let used = Use::begin("build", "copy", &request.destination);
        let copied = Box::pin(self.copy_checked(request)).await;
        self.granted.call.voice.end(used, copied, |made| (made.word().to_owned(), None))
    }

    /// With what `command` changes.
    ///
    /// # Errors
    /// `denied.exec`, `build.command-failed`, `timeout.build`, …
    pub async fn run(&self, command: BuildCommand) -> Result<Self, Fault> {
        let used = Use::begin("build", "run", &command.title);
        let ran = Box::pin(self.run_checked(command)).await;
        self.granted.call.voice.end(used, ran, |made| (made.word().to_owned(), None))
    }

    /// With a directory, if it is not there.
    ///
    /// # Errors
    /// `invalid.build` where something else is in its place.
    pub async fn make_directory(&self, path: &str, owner: Option<&str>) -> Result<Self, Fault> {
        self.may_change(path)?;
        let made = self.filesystem.make_directory(path, owner).await;
        let filesystem = made.map_err(|error| self.granted.call.voice.masked(error.into()))?;
        Ok(Self { granted: self.granted.clone(), filesystem, is_cached: false })
    }

    /// A file, at most 4 MiB, links followed; none where there is none.
    ///
    /// # Errors
    /// `invalid.build` for what is no file, or too large.
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        let read = self.filesystem.read(path).await;
        read.map_err(|error| self.granted.call.voice.masked(error.into()))
    }

    /// The packages that its databases list, as JSON.
    ///
    /// # Errors
    /// `invalid.build` for a database that cannot be read.
    pub async fn bill_of_materials(&self, format: BillFormat, name: &str) -> Result<String, Fault> {
        let format = match format {
            BillFormat::Spdx => build::BillFormat::Spdx,
            BillFormat::CycloneDx => build::BillFormat::CycloneDx,
        };
        let bill = self.filesystem.bill_of_materials(format, name).await;
        bill.map_err(|error| self.granted.call.voice.masked(error.into()))
    }

    fn word(&self) -> &'static str {
        if self.is_cached { "cached" } else { "done" }
    }

    /// A dry run leaves nothing behind, not even in the store of builds.
    fn may_change(&self, what: &str) -> Result<(), Fault> {
        match self.granted.call.dry_run {
            true => Err(Want::Exec(what).denied_in_dry_run().into()),
            false => Ok(()),
        }
    }

    async fn copy_checked(&self, request: BuildCopy) -> Result<Self, Fault> {
        self.may_change(&request.destination)?;
        let mut sources = Vec::new();
        for source in request.sources {
            sources.push(match source {
                CopySource::Context(context, pattern) => {
                    build::CopySource::Context(context.get(), pattern)
                }
                CopySource::Filesystem(other, pattern) => {
                    build::CopySource::Filesystem(other.filesystem, pattern)
                }
                CopySource::Url { url, checksum } => {
                    let file = self.granted.download(&url, checksum.as_deref()).await?;
                    build::CopySource::Download(file)
                }
                CopySource::Given(file) => build::CopySource::Given(build::context::GivenFile {
                    path: file.path,
                    content: file.content,
                    mode: file.mode,
                }),
            });
        }
        let copy = build::CopyRequest {
            destination: request.destination,
            directory: request.directory,
            sources,
            unpack: request.unpack,
            owner: request.owner,
            mode: request.mode,
            parents: request.parents,
            exclude: request.exclude,
            link: request.link,
        };
        let (filesystem, is_cached) = self.filesystem.copy(copy).await?;
        Ok(Self { granted: self.granted.clone(), filesystem, is_cached })
    }

    async fn run_checked(&self, command: BuildCommand) -> Result<Self, Fault> {
        let call = &self.granted.call;
        call.check(&Want::Exec(&command.title), Effect::Change)?;
        if command.network {
            call.check(&Want::ExecNetwork(&command.title), Effect::Change)?;
        }
        let mut mounts = Vec::new();
        for mount in command.mounts {
            mounts.push(self.mount(mount).await?);
        }
        let title = command.title.clone();
        let command = build::Command {
            arguments: command.arguments,
            title: command.title,
            environment: command.environment,
            ambient: command.ambient,
            directory: command.directory,
            user: command.user,
            network: if command.network { Network::Host } else { Network::None },
            mounts,
        };
        let log = crate::log::StepLog::new(call.voice.clone());
        let lines = Mutex::new([log.lines(Level::Info), log.lines(Level::Info)]);
        let line = move |stream: Stream, text: &[u8]| {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            let [out, err]: &mut [LineWriter; 2] = &mut lines;
            let writer = match stream {
                Stream::Out => out,
                Stream::Err => err,
            };
            writer.write(text);
            writer.write(b"\n");
        };
        let running = self.filesystem.run(command, Arc::new(line));
        let ran = match call.time_left() {
            Some(left) => tokio::time::timeout(left, running).await.map_err(|_| {
                Fault::new(Kind::Timeout, format!("`{title}` took longer than the step may"))
                    .code("timeout.build")
                    .help("raise `timeout` of the step")
            })?,
            None => running.await,
        };
        let (filesystem, is_cached) = ran?;
        Ok(Self { granted: self.granted.clone(), filesystem, is_cached })
    }

    async fn mount(&self, mount: CommandMount) -> Result<build::Mount, Fault> {
        let writable = |writable: bool| if writable { Access::Write } else { Access::Read };
        Ok(match mount {
            CommandMount::Script { path, content } => build::Mount::Script { path, content },
            CommandMount::Cache { target, id, sharing, mode, uid, gid, read_only } => {
                let access = writable(!read_only);
                build::Mount::Cache { target, id, sharing, mode, uid, gid, access }
            }
            CommandMount::Context { target, context, source, writable: may } => {
                let (filesystem, source) =
                    self.filesystem.of_context(&context.get(), &source).await?;
                build::Mount::Files { target, filesystem, source, access: writable(may) }
            }
            CommandMount::Filesystem { target, filesystem, source, writable: may } => {
                let filesystem = filesystem.filesystem.clone();
                build::Mount::Files { target, filesystem, source, access: writable(may) }
            }
            CommandMount::Tmpfs { target, size } => build::Mount::Tmpfs { target, size },
            CommandMount::Secret { target, secret, mode, uid, gid } => {
                let bytes = self.secret(&secret, &target)?;
                let name = secret.name().to_owned();
                build::Mount::Secret { target, name, bytes, mode, uid, gid }
            }
            CommandMount::SecretVariable { name: variable, secret } => {
                let bytes = self.secret(&secret, &variable)?;
                let name = secret.name().to_owned();
                build::Mount::SecretVariable { variable, name, bytes }
            }
        })
    }

    /// The bytes of a secret for a command, which could send them anywhere: one with `only-to` does
    /// not go there.
    fn secret(
        &self,
        secret: &crate::secrets::SecretHandle,
        place: &str,
    ) -> Result<report::Secret, Fault> {
        if secret.is_bound() {
            return Err(secret.denied(format!("a command (`{place}`)"), None).into());
        }
        Ok(secret.value().clone())
    }
}
