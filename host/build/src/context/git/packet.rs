//! Lines of the protocol: `gitprotocol-common`, "pkt-line".

use std::io::{self, Read};

/// One line, or what separates them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// Its bytes, without the length.
    Data(Vec<u8>),
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a part, or `0002`.
    Delimiter,
}

/// The next line; none at the end.
pub(super) fn read(from: &mut dyn Read) -> io::Result<Option<Packet>> {
    let mut length = [0; 4];
    let mut filled = 0;
    while let Some(free) = length.get_mut(filled..).filter(|free| !free.is_empty()) {
        match from.read(free) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let text = std::str::from_utf8(&length).ok();
    let is_hex = |text: &&str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let length = text.filter(is_hex).and_then(|text| usize::from_str_radix(text, 16).ok());
    match length {
        Some(0) => Ok(Some(Packet::Flush)),
        Some(1 | 2) => Ok(Some(Packet::Delimiter)),
        Some(length @ 4..) => {
            let mut data = vec![0; length - 4];
            from.read_exact(&mut data)?;
            Ok(Some(Packet::Data(data)))
        }
        Some(_) | None => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "this is not git's smart protocol"))
        }
    }
}

/// Adds a line to a message.
pub(super) fn write(message: &mut Vec<u8>, line: &str) {
    message.extend_from_slice(format!("{:04x}{line}", line.len() + 4).as_bytes());
}

/// Ends a message.
pub(super) const FLUSH: &[u8; 4] = b"0000";

/// Ends a part of a message.
pub(super) const DELIMITER: &[u8; 4] = b"0001";

/// A line of text, without its line feed.
pub(super) fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data.strip_suffix(b"\n").unwrap_or(data)).into_owned()
}
