//! Removing file trees of strangers.
//!
//! Never follows a link, needs two handles however deep the tree is, and gets through directories
//! that their owner, if that is us, may not read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Removes what is at `path`, whatever it is. Nothing there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let named = |error: Errno| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("cannot remove `{}`: {error}", path.display()))
    };
    remove_at(CWD, path.as_os_str().as_bytes()).map_err(named)
}

/// Removes what has the name `name` in `parent`.
pub(crate) fn remove_at(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    let top = open(parent, name)?;
    let mut number = 0_u64;
    // Each round takes away one level: what is in a directory of `top` goes up into `top`.
    while empty(&top, |below, name| lift(below, name, &top, &mut number))? {}
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Removes the files of `directory` and calls `found` for each directory; whether there was one.
fn empty(
    directory: &OwnedFd,
    mut found: impl FnMut(&OwnedFd, &[u8]) -> Result<(), Errno>,
) -> Result<bool, Errno> {
    let mut any = false;
    // Collected first: what is added meanwhile might come again.
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((name.to_vec(), entry.file_type()));
        }
    }
    for (name, kind) in names {
        let kind = if kind == FileType::Unknown {
            let stat = rustix::fs::statat(directory, &name[..], AtFlags::SYMLINK_NOFOLLOW)?;
            FileType::from_raw_mode(stat.st_mode)
        } else {
            kind
        };
        let is_directory = kind == FileType::Directory;
        if is_directory {
            any = true;
            found(directory, &name)?;
            continue;
        }
        match rustix::fs::unlinkat(directory, &name[..], AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(any)
}

/// Removes the directory `name` of `top` (which `below` is), after its directories went up.
fn lift(below: &OwnedFd, name: &[u8], top: &OwnedFd, number: &mut u64) -> Result<(), Errno> {
    let directory = match open(below.as_fd(), name) {
        Err(Errno::NOENT) => return Ok(()),
        result => result?,
    };
    empty(&directory, |directory, name| {
        loop {
            let free = format!(".windlass-removed-{number}");
            *number += 1;
            match rustix::fs::renameat(directory, name, top, free.as_bytes()) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                // To move a directory is to change what it says of its parent.
                Err(Errno::ACCESS) => {
                    drop(open(directory.as_fd(), name)?);
                    rustix::fs::renameat(directory, name, top, free.as_bytes())?;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    })?;
    drop(directory);
    match rustix::fs::unlinkat(below, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Opens the directory `name` and sees to it that its owner may do everything there.
fn open(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let all = Mode::RWXU;
    let directory = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            // No link: opening it as a directory failed for want of rights alone.
            rustix::fs::chmodat(parent, name, all, AtFlags::empty())?;
            rustix::fs::openat(parent, name, flags, Mode::empty())?
        }
        result => result?,
    };
    if rustix::fs::fstat(&directory)?.st_mode & all.as_raw_mode() != all.as_raw_mode() {
        rustix::fs::fchmod(&directory, all)?;
    }
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn deep_trees_go_and_links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let kept = directory.path().join("kept");
        fs_err::write(&kept, "here").unwrap();
        let tree = directory.path().join("tree");
        let mut deep = tree.clone();
        for _ in 0..300 {
            deep.push("d");
        }
        fs_err::create_dir_all(&deep).unwrap();
        fs_err::create_dir_all(tree.join("d/.windlass-removed-0")).unwrap();
        fs_err::write(tree.join("d/.windlass-removed-1"), "").unwrap();
        fs_err::os::unix::fs::symlink(directory.path(), deep.join("up")).unwrap();
        fs_err::set_permissions(tree.join("d/d"), std::fs::Permissions::from_mode(0o0)).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists());
        remove(&tree).unwrap();
        assert_eq!(fs_err::read_to_string(&kept).unwrap(), "here");
        let link = directory.path().join("link");
        fs_err::os::unix::fs::symlink(&kept, &link).unwrap();
        remove(&link).unwrap();
        assert!(kept.exists() && !link.is_symlink());
    }
}
