//! `COPY` and `ADD`.

use dockerfile::{AddStep, CopySource, CopyStep, Plan};
use windlass_plugin::build::{Context, Copy, Filesystem, GivenFile};
use windlass_plugin::{Error, Result};

use super::Build;

/// Where a destination begins: a step's are absolute.
const ROOT: &str = "/";

/// A document of the Dockerfile is a file that its owner writes and everybody reads.
const DOCUMENT_MODE: u32 = 0o644;

impl Build<'_> {
    pub(super) fn copy(
        &mut self,
        plan: &Plan,
        on: &Filesystem,
        step: &CopyStep,
    ) -> Result<Filesystem> {
        let from = self.origin(plan, &step.origin)?;
        let mut copy = Copy::to(&step.destination, ROOT);
        for source in &step.sources {
            copy = match (source, &from) {
                (CopySource::Path(pattern), None) => copy.from_context(self.context, pattern),
                (CopySource::Path(pattern), Some(from)) => copy.from_filesystem(from, pattern),
                (CopySource::Inline { name, content }, _) => {
                    copy.from_given(&document(name, content))
                }
                (CopySource::Url(url) | CopySource::Git(url), _) => {
                    return Err(Error::failed(format!("`COPY` does not fetch `{url}`"))
                        .hint("write `ADD` in place of `COPY`"));
                }
            };
        }
        if step.parents {
            copy = copy.parents();
        }
        let settings =
            (step.chown.as_deref(), step.chmod.as_deref(), step.exclude.as_slice(), step.link);
        on.copy(set(copy, settings))
    }

    pub(super) fn add(&mut self, on: &Filesystem, step: &AddStep) -> Result<Filesystem> {
        let mut copy = Copy::to(&step.destination, ROOT);
        for source in &step.sources {
            copy = match source {
                CopySource::Path(pattern) => copy.from_context(self.context, pattern),
                CopySource::Inline { name, content } => copy.from_given(&document(name, content)),
                CopySource::Url(url) => copy.from_url(url, step.checksum.as_deref()),
                CopySource::Git(url) => {
                    let repository = Context::open(url).map_err(allow)?;
                    check_commit(&repository, step.checksum.as_deref(), url)?;
                    copy.from_context(&repository, ".")
                }
            };
        }
        // Said nothing, tars of the context are unpacked; said so, those of URLs are too.
        if step.unpack != Some(false) {
            copy = copy.unpack();
        }
        let settings =
            (step.chown.as_deref(), step.chmod.as_deref(), step.exclude.as_slice(), step.link);
        on.copy(set(copy, settings)).map_err(allow)
    }
}

fn set(
    mut copy: Copy,
    (owner, mode, exclude, link): (Option<&str>, Option<&str>, &[String], bool),
) -> Copy {
    if let Some(owner) = owner {
        copy = copy.owner(owner);
    }
    if let Some(mode) = mode {
        copy = copy.mode(mode);
    }
    for pattern in exclude {
        copy = copy.exclude(pattern);
    }
    if link { copy.link() } else { copy }
}

fn document(name: &str, content: &str) -> GivenFile {
    let content = content.as_bytes().to_vec();
    GivenFile { path: name.to_owned(), content, mode: DOCUMENT_MODE }
}

/// A refusal of the network, with the input that allows it.
fn allow(error: Error) -> Error {
    match error.code() {
        "denied.http" => {
            error.hint("name the host under `with`: hosts = [\"https://example.com\"]")
        }
        _ => error,
    }
}

/// `--checksum` of a repository is a commit, or the start of one.
fn check_commit(repository: &Context, wanted: Option<&str>, url: &str) -> Result<()> {
    let found = repository.revision().unwrap_or_default();
    match wanted {
        Some(wanted) if !found.starts_with(wanted) => Err(Error::new(
            "build.checksum-mismatch",
            format!("`{url}` is at the commit {found}, not {wanted}"),
        )),
        _ => Ok(()),
    }
}
