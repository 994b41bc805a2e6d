//! What containers wrote: the end of it, as the service keeps it.

use std::path::{Path, PathBuf};

/// The service shows 4 MiB of a running container.
const LARGEST: usize = 4 * 1024 * 1024;

/// The log of one container, in memory and on disk.
pub(super) struct Log {
    file: PathBuf,
    text: String,
}

/// The file of a container's log.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.with_extension("log")
}

impl Log {
    /// An empty one.
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, text: String::new() }
    }

    /// Adds text; what is too old is forgotten.
    pub(super) fn append(&mut self, text: &str) {
        self.text.push_str(text);
        if self.text.len() > LARGEST {
            let mut from = self.text.len() - LARGEST / 2;
            while !self.text.is_char_boundary(from) {
                from += 1;
            }
            self.text.drain(..from);
        }
        if let Err(error) = fs_err::write(&self.file, &self.text) {
            tracing::warn!(%error, "the log of a container could not be written");
        }
    }
}

/// The last lines of a log; all of it if nobody says how many.
pub(super) fn tail(text: &str, lines: Option<usize>) -> String {
    let Some(lines) = lines else { return text.to_owned() };
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::new(folder.path().join("a.log"));
        log.append(&"é".repeat(LARGEST));
        log.append("end\n");
        assert!(log.text.len() <= LARGEST + 4 && log.text.ends_with("end\n"));
        assert_eq!(tail("a\nb\nc\n", Some(2)), "b\nc\n");
        assert_eq!(tail("a\nb", Some(9)), "a\nb");
        assert_eq!(tail("a", Some(0)), "");
    }
}
