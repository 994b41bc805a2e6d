//! `USER`: who a command runs as, by the image's own `/etc/passwd` and `/etc/group`.
//!
//! Source: Dockerfile reference, "USER"; behaves as runc's `user` package.

use std::io::Read as _;
use std::path::Path;

use super::error::{At as _, Failure, Step};

/// 8 MiB: a user database beyond that is an attack.
const LONGEST: u64 = 8 << 20;

/// Who a command runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Further groups, sorted.
    pub(super) groups: Vec<u32>,
    pub(super) home: String,
}

/// Looks `text` up below `root`.
pub(super) fn find(text: &str, root: &Path) -> Result<User, Failure> {
    let read = |name: &str| -> Result<String, Failure> {
        let file = match fs_err::File::open(root.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
            Err(error) => return Err(error).at(Step::User, format!("cannot read /{name}")),
        };
        let mut bytes = Vec::new();
        let read = file.take(LONGEST).read_to_end(&mut bytes);
        read.at(Step::User, format!("cannot read /{name}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    resolve(text, &read("etc/passwd")?, &read("etc/group")?)
}

/// Finds `user`, `user:group` or nothing, which is root, in the two files.
fn resolve(text: &str, passwd: &str, group: &str) -> Result<User, Failure> {
    let (user, given) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (text, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = id(user);
    let account = accounts(passwd)
        .find(|account| account.name == user)
        .or_else(|| accounts(passwd).find(|account| Some(account.uid) == number));
    let (name, uid, mut gid, home) = match (&account, number) {
        (Some(account), _) => (account.name, account.uid, account.gid, account.home),
        (None, Some(uid)) => ("", uid, 0, ""),
        (None, None) => {
            let detail = format!("the image's /etc/passwd has no user `{user}`");
            return Err(Failure::new(Step::User, detail));
        }
    };
    let mut groups: Vec<u32> = Vec::new();
    match given {
        Some(given) => {
            let number = id(given);
            let found = members(group).find(|line| line.name == given).map(|line| line.gid);
            gid = found.or(number).ok_or_else(|| {
                Failure::new(Step::User, format!("the image's /etc/group has no group `{given}`"))
            })?;
        }
        None if !name.is_empty() => {
            let of = members(group).filter(|line| line.members.split(',').any(|m| m == name));
            groups.extend(of.map(|line| line.gid));
        }
        None => {}
    }
    groups.sort_unstable();
    groups.dedup();
    let home = if home.is_empty() { "/" } else { home }.to_owned();
    Ok(User { uid, gid, groups, home })
}

/// A number; `root` is 0 also where the image says nothing.
fn id(text: &str) -> Option<u32> {
    if text == "root" { Some(0) } else { text.parse().ok() }
}

struct Account<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// The lines of `/etc/passwd` that make sense: passwd(5).
fn accounts(text: &str) -> impl Iterator<Item = Account<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let home = fields.nth(1).unwrap_or_default();
        Some(Account { name, uid, gid, home })
    })
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// The lines of `/etc/group` that make sense: group(5).
fn members(text: &str) -> impl Iterator<Item = Group<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = fields.nth(1)?.parse().ok()?;
        let members = fields.next().unwrap_or_default();
        Some(Group { name, gid, members })
    })
}

#[cfg(test)]
mod tests;
