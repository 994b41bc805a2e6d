//! A commit to files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::object::{self, Id, Kind, Object, Objects, TreeEntry};
use super::{Commit, GitError, broken};
use crate::context::ContextError;
use crate::context::archive::DEEPEST;
use crate::context::scratch::{Scratch, Unpacker};
use crate::layer::Limits;

/// As many tags as point at tags.
const LONGEST_CHAIN: usize = 8;

const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;
const FILE: u32 = 0o100_000;
const KIND: u32 = 0o170_000;

/// Unpacks `directory` of the commit that `id` is, or that the tag `id` points at.
pub(super) fn write(
    objects: &dyn Objects,
    id: Id,
    directory: &Path,
    scratch: &Path,
    limits: Limits,
) -> Result<(Scratch, Commit), ContextError> {
    let (commit, mut tree) = commit(objects, id)?;
    for name in directory {
        let missing = || GitError::NoSuchDirectory { path: directory.to_owned() };
        let data = read(objects, tree, Kind::Tree)?;
        let entries: Vec<_> = object::tree_entries(&data).flatten().collect();
        let found = entries.iter().find(|entry| entry.name == name.as_bytes());
        tree = found.filter(|entry| entry.mode & KIND == DIRECTORY).ok_or_else(missing)?.id;
    }
    let mut writer = Writer {
        objects,
        unpacker: Unpacker::new(scratch)?,
        time: commit.time,
        limits,
        bytes: 0,
        entries: 0,
    };
    writer.tree(tree)?;
    Ok((writer.unpacker.finish()?, commit))
}

/// The commit, and its tree.
pub(super) fn commit(objects: &dyn Objects, id: Id) -> Result<(Commit, Id), GitError> {
    let mut id = id;
    for _ in 0..LONGEST_CHAIN {
        let Object { kind, data } = require(objects, id)?;
        let link = |name| object::header(&data, name).and_then(Id::parse);
        match kind {
            Kind::Tag => {
                id = link("object").ok_or_else(|| broken(format!("the tag {id} has no object")))?;
            }
            Kind::Commit => {
                let tree = link("tree").ok_or_else(|| broken(format!("{id} has no tree")))?;
                let time = object::commit_time(&data);
                let time = time.ok_or_else(|| broken(format!("{id} has no time")))?;
                return Ok((Commit { id: id.to_string(), time }, tree));
            }
            Kind::Tree | Kind::Blob => {
                return Err(broken(format!("{id} is a {}, not a commit", kind.noun())));
            }
        }
    }
    Err(broken("a tag points at tags without end"))
}

struct Writer<'a> {
    objects: &'a dyn Objects,
    unpacker: Unpacker,
    time: i64,
    limits: Limits,
    bytes: u64,
    entries: u64,
}

impl Writer<'_> {
    fn tree(&mut self, root: Id) -> Result<(), ContextError> {
        self.directory(Path::new(""))?;
        let mut todo = vec![(PathBuf::new(), root)];
        while let Some((path, id)) = todo.pop() {
            let data = read(self.objects, id, Kind::Tree)?;
            for entry in object::tree_entries(&data) {
                let entry = entry.ok_or_else(|| broken(format!("the tree {id} is damaged")))?;
                self.count(0)?;
                let path = path.join(name(&entry)?);
                if path.components().count() > DEEPEST {
                    let limit = DEEPEST as u64;
                    return Err(GitError::Limit { limit, what: "directories in each other" }.into());
                }
                match entry.mode & KIND {
                    DIRECTORY => {
                        self.directory(&path)?;
                        todo.push((path, entry.id));
                    }
                    SUBMODULE => self.directory(&path)?,
                    FILE | LINK => self.blob(&path, &entry)?,
                    _ => return Err(broken(format!("`{}` has no kind", path.display())).into()),
                }
            }
        }
        Ok(())
    }

    fn directory(&mut self, path: &Path) -> Result<(), ContextError> {
        self.unpacker
            .directory(path, 0o755, self.time)
            .map_err(|source| ContextError::Write { path: path.to_owned(), source })
    }

    fn blob(&mut self, path: &Path, entry: &TreeEntry<'_>) -> Result<(), ContextError> {
        let data = read(self.objects, entry.id, Kind::Blob)?;
        self.count(data.len() as u64)?;
        let written = if entry.mode & KIND == LINK {
            self.unpacker.symlink(path, Path::new(OsStr::from_bytes(&data)), self.time)
        } else {
            let mode = if entry.mode & 0o111 == 0 { 0o644 } else { 0o755 };
            self.unpacker.file(path, mode, self.time, &mut data.as_slice())
        };
        written.map_err(|source| ContextError::Write { path: path.to_owned(), source })
    }

    fn count(&mut self, bytes: u64) -> Result<(), GitError> {
        self.bytes += bytes;
        self.entries += u64::from(bytes == 0);
        if self.bytes > self.limits.bytes {
            return Err(GitError::Limit { limit: self.limits.bytes, what: "bytes" });
        }
        if self.entries > self.limits.entries {
            return Err(GitError::Limit { limit: self.limits.entries, what: "files" });
        }
        Ok(())
    }
}

/// The name of an entry. git writes none of those that are refused; somebody else might.
fn name<'a>(entry: &TreeEntry<'a>) -> Result<&'a OsStr, GitError> {
    let name = entry.name;
    let is_plain = !matches!(name, b"" | b"." | b"..")
        && !name.contains(&b'/')
        && !name.eq_ignore_ascii_case(b".git");
    match is_plain {
        true => Ok(OsStr::from_bytes(name)),
        false => Err(broken(format!("it has a file `{}`", String::from_utf8_lossy(name)))),
    }
}

fn require(objects: &dyn Objects, id: Id) -> Result<Object, GitError> {
    objects.read(id)?.ok_or_else(|| broken(format!("the object {id} is missing")))
}

fn read(objects: &dyn Objects, id: Id, kind: Kind) -> Result<Vec<u8>, GitError> {
    let object = require(objects, id)?;
    if object.kind != kind {
        let (found, wanted) = (object.kind.noun(), kind.noun());
        return Err(broken(format!("{id} is a {found}, not a {wanted}")));
    }
    Ok(object.data)
}
