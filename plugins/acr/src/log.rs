//! The log of a run: text that arrives in pieces, and is told in lines.

/// A line is told at this length, whole or not.
const LONGEST_LINE: usize = 16 * 1024;

/// The most of a log that is told: some hundred thousand lines.
const MOST: u64 = 32 * 1024 * 1024;

/// Pieces of a log, and the lines in them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Log {
    partial: Vec<u8>,
    taken: u64,
    is_full: bool,
}

impl Log {
    /// How many bytes were taken until now: where the next piece begins.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The lines that `piece` completes.
    #[must_use]
    pub fn take(&mut self, piece: &[u8]) -> Vec<String> {
        self.taken = self.taken.saturating_add(piece.len() as u64);
        if self.is_full {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for mut part in piece.split_inclusive(|byte| *byte == b'\n') {
            // However it was cut into pieces, a long line is told in the same parts.
            while let Some((head, rest)) = part.split_at_checked(LONGEST_LINE - self.partial.len())
            {
                self.partial.extend_from_slice(head);
                lines.extend(self.line());
                part = rest;
            }
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") {
                lines.extend(self.line());
            }
        }
        if self.taken > MOST {
            self.is_full = true;
            self.partial.clear();
            lines.push("… the log goes on in Azure".to_owned());
        }
        lines
    }

    /// What is left without the end of a line.
    #[must_use]
    pub fn rest(&mut self) -> Option<String> {
        self.line()
    }

    fn line(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&bytes);
        let line = text.trim_end_matches(['\r', '\n']);
        (!line.is_empty()).then(|| line.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_told_when_they_are_whole() {
        let mut log = Log::default();
        assert_eq!(log.take(b"2026/01/01 Down"), [""; 0]);
        assert_eq!(log.take(b"loading\r\n\r\nnext\nla"), ["2026/01/01 Downloading", "next"]);
        assert_eq!(log.taken(), 33);
        assert_eq!(log.rest().as_deref(), Some("la"));
        assert_eq!(log.rest(), None);
    }

    #[test]
    fn a_log_without_ends_of_lines_and_one_without_an_end_are_bounded() {
        let mut log = Log::default();
        let piece = vec![b'x'; 1024 * 1024];
        let told: Vec<String> = (0..40).flat_map(|_| log.take(&piece)).collect();
        let (last, lines) = told.split_last().unwrap();
        assert!(lines.iter().all(|line| line.len() == LONGEST_LINE));
        assert_eq!(last, "… the log goes on in Azure");
        assert_eq!(lines.len() as u64, MOST / LONGEST_LINE as u64 + 64);
        assert!(log.taken() > MOST && log.partial.is_empty());
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_lines_are_the_same(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400),
            size in 1_usize..50,
        ) {
            let tell = |pieces: Vec<&[u8]>| {
                let mut log = Log::default();
                let mut lines: Vec<String> = pieces.into_iter().flat_map(|piece| log.take(piece)).collect();
                lines.extend(log.rest());
                (lines, log.taken())
            };
            prop_assert_eq!(tell(text.chunks(size).collect()), tell(vec![&text]));
        }
    }
}
