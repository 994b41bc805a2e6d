//! HTTP/1.1 as bytes (RFC 9112), so that a proxy can break it where a library would not.

use std::io;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
};

/// Longer than any line that a client or registry of the tests sends.
const LONGEST_LINE: u64 = 64 * 1024;

/// What is read of a body at once: pieces small enough to be paced.
const PIECE: usize = 8 * 1024;

/// The first line of a message and its headers.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Without its line end.
    pub(super) first: String,
    /// Names in lower case, in their order.
    pub(super) headers: Vec<(String, String)>,
}

/// How a body ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With an empty chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    /// Of the whole, or of the chunk.
    left: u64,
    is_over: bool,
}

impl Head {
    /// The next head; none where the connection ends before it.
    pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        let first = line(from).await?;
        if first.is_empty() {
            return Ok(None);
        }
        let mut headers = Vec::new();
        loop {
            let header = line(from).await?;
            let Some((name, value)) = header.split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        Ok(Some(Self { first, headers }))
    }

    /// Words of the first line.
    pub(super) fn word(&self, number: usize) -> &str {
        self.first.split(' ').nth(number).unwrap_or_default()
    }

    /// The value of a header; `name` in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets a header, in place of what there was.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Takes a header away.
    pub(super) fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
    }

    /// As it goes over the line.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        text.into_bytes()
    }

    /// How the body of a request ends.
    pub(super) fn request_framing(&self) -> Framing {
        self.framing().unwrap_or(Framing::Length(0))
    }

    /// How the body of the answer to `method` ends.
    pub(super) fn answer_framing(&self, method: &str) -> Framing {
        match self.word(1) {
            "204" | "304" => Framing::Length(0),
            _ if method == "HEAD" => Framing::Length(0),
            _ => self.framing().unwrap_or(Framing::UntilClose),
        }
    }

    fn framing(&self) -> Option<Framing> {
        if self.get("transfer-encoding").is_some() {
            return Some(Framing::Chunked);
        }
        self.get("content-length").and_then(|text| text.parse().ok()).map(Framing::Length)
    }
}

impl Body {
    pub(super) fn new(framing: Framing) -> Self {
        let left = match framing {
            Framing::Length(length) => length,
            Framing::Chunked => 0,
            Framing::UntilClose => u64::MAX,
        };
        Self { framing, left, is_over: false }
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(
        &mut self,
        from: &mut (impl AsyncBufRead + Unpin),
    ) -> io::Result<Option<Vec<u8>>> {
        if self.framing == Framing::Chunked && self.left == 0 && !self.is_over {
            let size = line(from).await?;
            let digits = size.split(';').next().unwrap_or_default();
            self.left = u64::from_str_radix(digits, 16).map_err(io::Error::other)?;
            if self.left == 0 {
                // No trailers: nobody here sends any.
                line(from).await?;
                self.is_over = true;
            }
        }
        let wanted = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        if wanted == 0 || self.is_over {
            return Ok(None);
        }
        let mut piece = vec![0; wanted];
        let read = from.read(&mut piece).await?;
        piece.truncate(read);
        if read == 0 {
            self.is_over = true;
            return match self.framing {
                Framing::UntilClose => Ok(None),
                Framing::Length(_) | Framing::Chunked => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        self.left -= read as u64;
        if self.framing == Framing::Chunked && self.left == 0 {
            line(from).await?;
        }
        Ok(Some(piece))
    }
}

/// Writes a piece of a body.
pub(super) async fn write_piece(
    to: &mut (impl AsyncWrite + Unpin),
    framing: Framing,
    piece: &[u8],
) -> io::Result<()> {
    match framing {
        Framing::Length(_) | Framing::UntilClose => to.write_all(piece).await,
        Framing::Chunked => {
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(piece);
            chunk.extend_from_slice(b"\r\n");
            to.write_all(&chunk).await
        }
    }
}

/// Ends a body.
pub(super) async fn write_end(
    to: &mut (impl AsyncWrite + Unpin),
    framing: Framing,
) -> io::Result<()> {
    match framing {
        Framing::Chunked => to.write_all(b"0\r\n\r\n").await,
        Framing::Length(_) | Framing::UntilClose => Ok(()),
    }
}

/// A line without its end; empty where the connection ends.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}
