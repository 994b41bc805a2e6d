//! Events as NDJSON on standard output, masked.

use std::io::{self, Write};

use report::Mask;
use run::ndjson::NdjsonSink;

/// Writes each event as a line of JSON to standard output.
pub(crate) type Json = NdjsonSink<Masked<io::Stdout>>;

/// The sink for `--format json`.
pub(crate) fn json(mask: Mask) -> io::Result<Json> {
    NdjsonSink::new(Masked { to: io::stdout(), mask, line: Vec::new() })
}

/// Text through a mask, line by line: a secret never has a line break in a JSON line.
pub(crate) struct Masked<W> {
    to: W,
    mask: Mask,
    line: Vec<u8>,
}

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|&byte| byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let whole = std::mem::replace(&mut self.line, rest);
            self.to.write_all(self.mask.apply(&String::from_utf8_lossy(&whole)).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use report::Secret;

    use super::*;

    #[test]
    fn a_secret_in_pieces_is_masked() {
        let mask = Mask::new();
        mask.learn(&Secret::new("hunter2-hunter2"));
        let mut masked = Masked { to: Vec::new(), mask, line: Vec::new() };
        masked.write_all(b"{\"a\":\"hunter2-").unwrap();
        masked.write_all(b"hunter2\"}\n{").unwrap();
        assert_eq!(String::from_utf8(masked.to).unwrap(), "{\"a\":\"***\"}\n");
    }
}
