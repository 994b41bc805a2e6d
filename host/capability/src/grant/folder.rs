//! Paths in the workspace, as text.

/// What to type instead of a path that cannot be.
pub(crate) const HELP: &str =
    "write a path relative to the pipeline file, with `/`, such as `app/src`";

/// A granted folder or file, relative to the workspace, `/` between its parts; empty for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder(String);

impl Folder {
    pub(super) fn new(normal: String) -> Self {
        Self(normal)
    }

    /// The path with `/`; `.` for the whole workspace.
    pub(crate) fn as_str(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }

    /// The path with `/`; empty for the whole workspace.
    pub(crate) fn as_path(&self) -> &str {
        &self.0
    }

    /// What is left of `path` below this folder: empty for the folder itself, none outside.
    pub(crate) fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.0.is_empty() || self.0 == path {
            return path.strip_prefix(self.0.as_str());
        }
        path.strip_prefix(self.0.as_str())?.strip_prefix('/')
    }
}

/// `path` without `.` and doubled slashes; empty for the workspace itself.
///
/// # Errors
/// A clause that says why it is no path in the workspace.
pub(crate) fn normalize(path: &str) -> Result<String, &'static str> {
    if path.is_empty() {
        return Err("it is empty");
    }
    if path.starts_with('/') {
        return Err("it is absolute");
    }
    if path.contains('\0') {
        return Err("it has a zero byte");
    }
    // On Windows a backslash divides and a colon names a drive; one rule for all systems.
    if path.contains('\\') {
        return Err("it has a backslash");
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("it has a `..`"),
            name => parts.push(name),
        }
    }
    Ok(parts.join("/"))
}
