//! `RUN`.

use dockerfile::instruction::{Network, Security};
use dockerfile::{MountKind, Origin, Plan, RunMount, RunStep, Sharing, Step};
use windlass_plugin::build::{Builder, CacheMount, CacheSharing, Filesystem, Run};
use windlass_plugin::{Error, Result, secrets};

use super::Build;
use crate::inputs;

/// Permission bits of a new cache directory.
const CACHE_MODE: u32 = 0o755;

/// Permission bits of a secret: for its owner alone.
const SECRET_MODE: u32 = 0o400;

impl Build<'_> {
    pub(super) fn run(
        &mut self,
        plan: &Plan,
        on: &Filesystem,
        step: &Step,
        run: &RunStep,
    ) -> Result<Filesystem> {
        if run.security == Security::Insecure {
            return Err(Error::new("denied.exec", "`--security=insecure` would be no sandbox")
                .hint("leave it away; a command has the rights that Docker gives by default"));
        }
        if let Some(device) = run.devices.iter().find(|device| device.required) {
            return Err(Error::new("denied.exec", format!("there is no device `{}`", device.name))
                .hint("leave `--device` away, or its `required`"));
        }
        let machine = Builder::machine();
        if !runs_on(&machine, &self.platform) {
            let message = format!(
                "a command for {} cannot run on this machine, which is {machine}",
                self.platform
            );
            return Err(Error::new("build.foreign-platform", message)
                .hint("build it there, or in a stage `FROM --platform=$BUILDPLATFORM`"));
        }
        let mut command =
            Run::new(&run.argv, &step.text).directory(&run.working_dir).user(&run.user);
        for (name, value) in &run.env {
            command = command.environment(name, value);
        }
        for (name, value) in &run.proxy {
            command = command.ambient(name, value);
        }
        if let Some(script) = &run.script {
            command = command.script(&script.path, script.content.as_bytes());
        }
        let wants_network = match run.network {
            Network::None => false,
            Network::Host => true,
            Network::Default => self.inputs.network == inputs::Network::Host,
        };
        if wants_network {
            command = command.network();
        }
        for mount in &run.mounts {
            command = self.mount(plan, command, mount)?;
        }
        on.run(command).map_err(|error| match error.code() {
            "denied.exec" if run.network == Network::Host => {
                error.hint("allow it under `with`: network = \"host\"")
            }
            _ => error,
        })
    }

    fn mount(&mut self, plan: &Plan, command: Run, wanted: &RunMount) -> Result<Run> {
        let mount = &wanted.mount;
        let owner = (mount.uid.unwrap_or_default(), mount.gid.unwrap_or_default());
        Ok(match mount.kind {
            MountKind::Bind => match (&wanted.origin, self.origin(plan, &wanted.origin)?) {
                (Origin::Empty, _) => command.mount_tmpfs(&mount.target, None),
                (_, Some(from)) => {
                    command.mount_filesystem(&mount.target, &from, &mount.source, !mount.read_only)
                }
                (_, None) => command.mount_context(
                    &mount.target,
                    self.context,
                    &mount.source,
                    !mount.read_only,
                ),
            },
            MountKind::Cache => command.mount_cache(&CacheMount {
                target: mount.target.clone(),
                id: mount.id.clone(),
                sharing: match mount.sharing {
                    Sharing::Shared => CacheSharing::Shared,
                    Sharing::Private => CacheSharing::Private,
                    Sharing::Locked => CacheSharing::Locked,
                },
                mode: mount.mode.unwrap_or(CACHE_MODE),
                uid: owner.0,
                gid: owner.1,
                read_only: mount.read_only,
            }),
            MountKind::Tmpfs => {
                command.mount_tmpfs(&mount.target, (mount.size > 0).then_some(mount.size))
            }
            MountKind::Secret => self.secret(command, wanted, owner)?,
            MountKind::Ssh if mount.required => {
                return Err(Error::new("denied.exec", "there is no SSH agent for commands")
                    .hint("give a key as a secret: `--mount=type=secret`"));
            }
            MountKind::Ssh => command,
        })
    }

    fn secret(&self, command: Run, wanted: &RunMount, (uid, gid): (u32, u32)) -> Result<Run> {
        let mount = &wanted.mount;
        if !self.inputs.secrets.contains(&mount.id) {
            return match mount.required {
                true => Err(Error::new(
                    "denied.secrets",
                    format!("the secret `{}` was not given to the step", mount.id),
                )
                .hint(format!("name it under `with`: secrets = [{:?}]", mount.id))),
                false => Ok(command),
            };
        }
        let secret = secrets::get(&mount.id)?;
        let mut command = command;
        if let Some(variable) = &mount.env {
            command = command.secret_variable(variable, &secret);
        }
        if !mount.target.is_empty() {
            let mode = mount.mode.unwrap_or(SECRET_MODE);
            command = command.mount_secret(&mount.target, &secret, mode, uid, gid);
        }
        Ok(command)
    }
}

/// Whether a machine runs programs of a platform: variants of one architecture are for the kernel to
/// refuse.
fn runs_on(machine: &str, platform: &str) -> bool {
    let parts = |text: &str| text.split('/').take(2).map(str::to_owned).collect::<Vec<_>>();
    parts(machine) == parts(platform)
}

#[cfg(test)]
mod tests {
    use super::runs_on;

    #[test]
    fn commands_run_on_machines_of_their_architecture() {
        assert!(runs_on("linux/amd64", "linux/amd64"));
        assert!(runs_on("linux/amd64", "linux/amd64/v3"));
        assert!(!runs_on("linux/amd64", "linux/arm64"));
        assert!(!runs_on("linux/amd64", "windows/amd64"));
    }
}
