//! Users and groups by name, as the image knows them.

use std::io::Read as _;
use std::path::Path;

use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::tree::{self, Tree as _};

/// The user, and the group, that are 0 whatever the image says, or does not say.
const ROOT: &str = "root";

/// A thousand times the usual size.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// User and group of `USER[:GROUP]`, names or numbers. Without a group it is the number of the user,
/// as Docker has it for `--chown`.
///
/// # Errors
/// [`Error::Invalid`] for a name that the image does not know.
pub(crate) fn ids_of(image: &Snapshot, owner: &str) -> Result<(u32, u32), Error> {
    let (user, group) = match owner.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (owner, None),
    };
    let uid = id(image, user, "etc/passwd", "user")?;
    match group {
        None | Some("") => Ok((uid, uid)),
        Some(group) => Ok((uid, id(image, group, "etc/group", "group")?)),
    }
}

fn id(image: &Snapshot, name: &str, file: &str, what: &str) -> Result<u32, Error> {
    if name.is_empty() {
        return Ok(0);
    }
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let text = text(image, file)?;
    // `NAME:PASSWORD:ID:…` in both files.
    let found = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    // An image without users has this one, as BuildKit and runtimes know it.
    found.or_else(|| (name == ROOT).then_some(0)).ok_or_else(|| {
        Error::invalid(
            format!("the image knows no {what} `{name}`: it is not in /{file}"),
            format!("give a number, or make the {what} with a `RUN` before"),
        )
    })
}

fn text(image: &Snapshot, file: &str) -> Result<String, Error> {
    let Ok(path) = tree::resolve(image, Path::new(file)) else { return Ok(String::new()) };
    let Ok(opened) = image.open(&path) else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    let read = opened.take(LARGEST_FILE).read_to_end(&mut bytes);
    read.map_err(Error::io("reading the users of the image"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
