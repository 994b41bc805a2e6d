//! A small HTTP/1.1 server whose answers a test writes, well-behaved or not.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// What goes out.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ending: Ending,
}

/// How an exchange ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// With the last byte of the body.
    Whole,
    /// After so many bytes of the body, though more were announced.
    Cut(usize),
    /// Never: nothing is said at all.
    Never,
}

/// A server on a free port of 127.0.0.1. Stops when dropped.
pub struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Box<dyn Fn(&Request) -> Answer + Send + Sync>,
    requests: Mutex<Vec<Request>>,
    /// Connections that are left without an answer.
    held: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

impl Request {
    /// The value of a header, if it came; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Answer {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), ending: Ending::Whole }
    }

    /// 200 with a body.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200) }
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// No answer, as long as the server lives.
    pub fn never() -> Self {
        Self { ending: Ending::Never, ..Self::status(200) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Announces the whole body and ends after `bytes` of it.
    #[must_use]
    pub fn cut_after(self, bytes: usize) -> Self {
        Self { ending: Ending::Cut(bytes), ..self }
    }
}

impl HttpServer {
    /// Starts a server that answers each request with what `answer` gives.
    ///
    /// # Panics
    /// No port is free.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of 127.0.0.1 is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            requests: Mutex::default(),
            held: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if served.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let served = Arc::clone(&served);
                std::thread::spawn(move || {
                    // A client that goes away in the middle is what some tests are about.
                    let _ = exchange(stream, &served);
                });
            }
        });
        Self { address, shared }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, each noted before it was answered.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.held.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // Wakes the listener, so that it sees that it is to stop.
        let _ = TcpStream::connect(self.address);
    }
}

/// One request and its answer; the connection is closed behind it.
fn exchange(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut from = BufReader::new(stream.try_clone()?);
    let Some(request) = read_request(&mut from, &mut stream)? else { return Ok(()) };
    shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let Answer { status, headers, body, ending } = (shared.answer)(&request);
    let sent = match ending {
        Ending::Whole => body.as_slice(),
        Ending::Cut(bytes) => body.get(..bytes).unwrap_or(&body),
        Ending::Never => {
            shared.held.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            return Ok(());
        }
    };
    let mut head = format!("HTTP/1.1 {status} of-the-test\r\nconnection: close\r\n");
    for (name, value) in &headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !headers.iter().any(|(name, _)| name == "content-length") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(sent)?;
    }
    stream.flush()
}

/// The next request; none where the connection was closed without one.
fn read_request(from: &mut impl BufRead, to: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let first = line(from)?;
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = Vec::new();
    loop {
        let header = line(from)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new() };
    if request.header("expect").is_some() {
        to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if request.header("transfer-encoding").is_some() {
        loop {
            let length = line(from)?;
            let length = u64::from_str_radix(length.trim(), 16).unwrap_or(0);
            from.take(length).read_to_end(&mut request.body)?;
            line(from)?;
            if length == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("content-length").and_then(|text| text.parse().ok())
    {
        from.take(length).read_to_end(&mut request.body)?;
    }
    Ok(Some(request))
}

fn line(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    from.read_until(b'\n', &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_noted_and_answered_as_the_test_says() {
        let server = HttpServer::start(|request| {
            Answer::status(418).header("x-a", "b").with(request.body.clone()).cut_after(2)
        });
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"PUT /a?b HTTP/1.1\r\nX-C: d\r\nContent-Length: 3\r\n\r\nefg").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let head =
            "HTTP/1.1 418 of-the-test\r\nconnection: close\r\nx-a: b\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(answer, format!("{head}ef"));
        let requests = server.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].path, "/a?b");
        assert_eq!(requests[0].header("x-c"), Some("d"));
        assert_eq!(requests[0].body, b"efg");
    }
}
