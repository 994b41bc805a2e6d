//! What a build would be given of a directory: for people, without a step.

use std::path::Path;

use ::oci::Digest;
use build::context::{Context, ContextError};
use report::{Fault, Kind, Side};

/// A directory as a build would see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedContext {
    /// The ignore file that counts; none where there is none.
    pub ignore_file: Option<String>,
    /// What a build would see.
    pub sent: Vec<Sent>,
    /// What it would not.
    pub ignored: Vec<Ignored>,
}

/// A path that a build would see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Relative to the directory.
    pub path: String,
    /// `file`, `directory`, …
    pub kind: &'static str,
    /// Bytes of a file.
    pub size: u64,
}

/// A path that a build would not see, nor what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Relative to the directory.
    pub path: String,
    /// The line of the ignore file, from 1.
    pub line: usize,
    /// What it says.
    pub pattern: String,
}

/// Lists `directory` as a build of the Dockerfile `file` in it would see it. Blocking.
///
/// # Errors
/// What the disk, or the ignore file, says.
pub fn list_context(directory: &Path, file: &str) -> Result<ListedContext, Fault> {
    let context = open(directory, file)?;
    let ignore_file = context.ignore().map(|ignore| ignore.label().to_owned());
    let listing = context.list().map_err(ContextError::from)?;
    let sent = listing.kept.into_iter().map(|listed| Sent {
        path: listed.path.to_string_lossy().into_owned(),
        kind: listed.metadata.kind.noun(),
        size: if listed.metadata.kind == build::tree::Kind::File {
            listed.metadata.size
        } else {
            0
        },
    });
    let ignored = listing.dropped.into_iter().map(|dropped| Ignored {
        path: dropped.path.to_string_lossy().into_owned(),
        line: dropped.line,
        pattern: dropped.rule,
    });
    Ok(ListedContext { ignore_file, sent: sent.collect(), ignored: ignored.collect() })
}

/// Writes the same as a tar, packed with gzip, to `archive`, which is there whole or not at all; the
/// digest and the size of it. The Dockerfile is in it in any case. Blocking.
///
/// # Errors
/// What the disk, or the ignore file, says.
pub fn pack_context(directory: &Path, file: &str, archive: &Path) -> Result<(Digest, u64), Fault> {
    let context = open(directory, file)?;
    let place = match archive.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let unwritable = |error: std::io::Error| {
        Fault::new(Kind::Failed, format!("cannot write `{}`", archive.display()))
            .code("build.io")
            .side(Side::Host)
            .cause(error)
    };
    let scratch = tempfile::NamedTempFile::new_in(place).map_err(unwritable)?;
    let sink = scratch.reopen().map_err(unwritable)?;
    let packed = context.pack(Some(Path::new(file)), Vec::new(), sink)?.descriptor;
    scratch.persist(archive).map_err(|error| unwritable(error.error))?;
    Ok((packed.digest, packed.size))
}

fn open(directory: &Path, file: &str) -> Result<Context, Fault> {
    let context = Context::directory(directory)?;
    Ok(match context.find_ignore(Path::new(file))? {
        Some(ignore) => context.with_ignore(ignore),
        None => context,
    })
}
