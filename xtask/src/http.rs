//! As much of HTTP as it takes to fill a registry on loopback and to look into one.
//!
//! HTTP/1.0, one connection per request: the server then closes the connection at the end of the
//! body and sends no chunks. Not for any other use.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A registry on this machine that does not answer within this time is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than any answer that is wanted here.
const LARGEST_ANSWER: u64 = 16 << 20;

/// What a server said.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Header lines, names in lower case.
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header `name`, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A request to the server at `address`; `headers` are whole lines.
pub(crate) fn request(
    address: &str,
    method: &str,
    path: &str,
    headers: &[String],
    body: &[u8],
) -> Result<Answer> {
    exchange(address, method, path, headers, body)
        .with_context(|| format!("{method} http://{address}{path}"))
}

fn exchange(
    address: &str,
    method: &str,
    path: &str,
    headers: &[String],
    body: &[u8],
) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let first = format!("{method} {path} HTTP/1.0");
    let own = [first, format!("Host: {address}"), format!("Content-Length: {}", body.len())];
    let head = [&own, headers].concat().join("\r\n") + "\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.take(LARGEST_ANSWER).read_to_end(&mut bytes)?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("no header")?;
    let (head, rest) = bytes.split_at(end);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let Some(status) = status else { bail!("the answer begins without a status") };
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Answer { status, headers, body: rest.get(4..).unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer =
            parse(b"HTTP/1.1 201 Created\r\nLocation: /v2/x\r\nA: b:c\r\n\r\nbody\r\n\r\n");
        let answer = answer.unwrap();
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("location"), Some("/v2/x"));
        assert_eq!(answer.header("a"), Some("b:c"));
        assert_eq!(answer.body, b"body\r\n\r\n");
    }

    #[test]
    fn an_answer_that_is_not_http_is_refused() {
        assert!(parse(b"").is_err());
        assert!(parse(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
    }
}
