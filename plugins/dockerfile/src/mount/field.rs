//! The fields of a `--mount`, one by one.

use super::{Mount, MountField, MountKind, Sharing, problem};
use crate::diagnostic::Diagnostic;
use crate::flag::boolean;
use crate::size::bytes;
use crate::source::Span;
use crate::suggest::closest;
use crate::word::Word;

/// Every key.
const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "env",
];

const KINDS: [MountKind; 5] =
    [MountKind::Bind, MountKind::Cache, MountKind::Tmpfs, MountKind::Secret, MountKind::Ssh];

const SHARINGS: [(&str, Sharing); 3] =
    [("shared", Sharing::Shared), ("private", Sharing::Private), ("locked", Sharing::Locked)];

/// A mount being read: fields are taken in their order, and `type` counts from where it stands.
#[derive(Default)]
pub(super) struct State {
    mount: Mount,
    read_only: Option<bool>,
    sharing: Option<Sharing>,
}

impl State {
    pub(super) fn take(
        &mut self,
        field: &MountField,
        expand: &mut dyn FnMut(&Word) -> Result<String, Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let key = field.key.text.as_str();
        let Some(word) = &field.value else { return self.switch(field) };
        let value = expand(word)?;
        let wanted = |what: &str| {
            let message = format!("`{key}` of a mount is `{value}`, expected {what}");
            problem(word.span, message)
        };
        let switch = || boolean(&value).ok_or_else(|| wanted("true or false"));
        let number =
            |radix: u32, what: &str| u32::from_str_radix(&value, radix).map_err(|_| wanted(what));
        match key {
            "type" => {
                let kind = value.to_ascii_lowercase();
                let found = KINDS.into_iter().find(|known| known.name() == kind);
                self.mount.kind = found.ok_or_else(|| {
                    wanted("bind, cache, tmpfs, secret or ssh")
                        .did_you_mean(closest(&kind, KINDS.map(MountKind::name)))
                })?;
            }
            "from" => self.mount.from = Some(value).filter(|from| !from.is_empty()),
            "source" | "src" => self.mount.source = value,
            "target" | "dst" | "destination" => self.mount.target = value,
            "readonly" | "ro" => self.read_only = Some(switch()?),
            "readwrite" | "rw" => self.read_only = Some(!switch()?),
            "required" => {
                self.only_for(field, &[MountKind::Secret, MountKind::Ssh])?;
                self.mount.required = switch()?;
            }
            "size" => {
                self.only_for(field, &[MountKind::Tmpfs])?;
                self.mount.size = bytes(&value).ok_or_else(|| wanted("a size such as 64m"))?;
            }
            "id" => self.mount.id = value,
            "sharing" => {
                let name = value.to_ascii_lowercase();
                let found = SHARINGS.into_iter().find(|(known, _)| *known == name);
                self.sharing = Some(found.map(|(_, sharing)| sharing).ok_or_else(|| {
                    wanted("shared, private or locked")
                        .did_you_mean(closest(&name, SHARINGS.map(|(known, _)| known)))
                })?);
            }
            "mode" => self.mount.mode = Some(number(8, "octal digits such as 0400")?),
            "uid" => self.mount.uid = Some(number(10, "a number")?),
            "gid" => self.mount.gid = Some(number(10, "a number")?),
            "env" => self.mount.env = Some(value),
            _ => return Err(unknown(field)),
        }
        Ok(())
    }

    /// A key without a value.
    fn switch(&mut self, field: &MountField) -> Result<(), Diagnostic> {
        match field.key.text.as_str() {
            "readonly" | "ro" => self.read_only = Some(true),
            "readwrite" | "rw" => self.read_only = Some(false),
            "required" => {
                self.only_for(field, &[MountKind::Secret, MountKind::Ssh])?;
                self.mount.required = true;
            }
            key if KEYS.contains(&key) => {
                let message = format!("`{key}` of a mount has no value");
                return Err(problem(field.key.span, message).help(format!("write `{key}=VALUE`")));
            }
            _ => return Err(unknown(field)),
        }
        Ok(())
    }

    fn only_for(&self, field: &MountField, kinds: &[MountKind]) -> Result<(), Diagnostic> {
        if kinds.contains(&self.mount.kind) {
            return Ok(());
        }
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let (key, kind) = (&field.key.text, self.mount.kind.name());
        let message = format!("`{key}` is for mounts of type {}, not {kind}", names.join(" or "));
        Err(problem(field.key.span, message).help("write `type=` first"))
    }

    /// What cannot be said together.
    pub(super) fn finish(self, span: Span) -> Result<Mount, Diagnostic> {
        let Self { mut mount, read_only, sharing } = self;
        let kind = mount.kind;
        let refuse = |message: &str, help: &str| {
            Err(problem(span, message.to_owned()).help(help.to_owned()))
        };
        let has_owner = matches!(kind, MountKind::Secret | MountKind::Ssh | MountKind::Cache);
        let owner = [mount.mode.is_some(), mount.uid.is_some(), mount.gid.is_some()];
        let said = ["mode", "uid", "gid"].into_iter().zip(owner).find(|(_, is_said)| *is_said);
        if let Some((name, _)) = said.filter(|_| !has_owner) {
            let message = format!("mount of type {} takes no `{name}`", kind.name());
            return refuse(&message, "leave it out");
        }
        if sharing.is_some() && kind != MountKind::Cache {
            let message = format!("mount of type {} takes no `sharing`", kind.name());
            return refuse(&message, "leave it out");
        }
        if kind == MountKind::Secret {
            if mount.from.is_some() {
                return refuse("mount of type secret takes no `from`", "leave it out");
            }
            if mount.source.is_empty() && mount.target.is_empty() && mount.id.is_empty() {
                return refuse("mount of type secret names no secret", "write `id=NAME`");
            }
            if !mount.source.is_empty() && !mount.id.is_empty() {
                return refuse("mount of type secret has both `id` and `source`", "keep `id`");
            }
        }
        mount.sharing = sharing.unwrap_or_default();
        let default = !matches!(kind, MountKind::Cache | MountKind::Tmpfs);
        mount.read_only = read_only.unwrap_or(default);
        Ok(mount)
    }
}

fn unknown(field: &MountField) -> Diagnostic {
    let key = &field.key.text;
    let near = closest(key, KEYS);
    let problem = problem(field.key.span, format!("mount has no key `{key}`")).did_you_mean(near);
    match problem.help {
        None => problem.help(
            "the keys are `type`, `from`, `source`, `target`, `ro`, `rw`, `id`, `sharing`, \
             `required`, `size`, `mode`, `uid`, `gid` and `env`",
        ),
        Some(_) => problem,
    }
}
