//! One request on its way, and what happens to it.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::gate::Barrier;
use super::link::{Lane, Link};
use super::rule::{Moment, Trouble, What};
use super::token::scope;
use super::wire::{Body, Framing, Head, write_end, write_piece};
use super::{Seen, Shared, lock};

/// What somebody on the way shows to who has not signed in.
const PAGE: &str = "<!DOCTYPE html><html><body>Sign in to go on.</body></html>";

/// What stands behind the end of an answer that is too long.
const EXTRA: &[u8] = b"and more";

/// One side of the proxy.
struct Peer {
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
}

/// How an exchange left the connection to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Open,
    Closed,
    Reset,
}

/// A request, and what is to happen to it.
struct Passage {
    shared: Arc<Shared>,
    head: Head,
    is_elsewhere: bool,
    number: usize,
    age: usize,
    link: Link,
    trouble: Option<Trouble>,
    hold: Option<(Barrier, Moment)>,
}

/// What happens in the middle of a body.
#[derive(Default)]
struct Middle {
    hold: Option<Barrier>,
    corrupts: bool,
    stop: Option<Stop>,
}

/// How a body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// With a reset.
    Reset,
    /// Too early, and the connection is closed.
    Cut,
    /// Early, but as announced.
    Short,
}

/// Serves one client until it, or trouble, ends the connection.
pub(super) async fn connection(shared: Arc<Shared>, stream: TcpStream, is_elsewhere: bool) {
    let mut client = Peer::new(stream);
    let mut registry = None;
    // A client that goes away in the middle is what some tests are about.
    while let Ok(Some(head)) = Head::read(&mut client.from).await {
        let is_last = head.get("connection").is_some_and(|text| text.contains("close"));
        let mut passage = Passage::new(&shared, head, is_elsewhere);
        match passage.exchange(&mut client, &mut registry).await {
            Ok(Ending::Open) if !is_last => {}
            Ok(Ending::Reset) => return client.reset(),
            Ok(Ending::Open | Ending::Closed) | Err(_) => return,
        }
    }
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        // Fails only where the other side is gone, which reading will say.
        let _ = stream.set_nodelay(true);
        let (from, to) = stream.into_split();
        Self { from: BufReader::new(from), to }
    }

    /// Ends without the goodbye that a closed connection has.
    fn reset(self) {
        let _ = self.to.as_ref().set_zero_linger();
        // Dropped as usual it would say goodbye first.
        self.to.forget();
    }
}

impl Passage {
    /// Notes the request and looks what is to happen to it.
    fn new(shared: &Arc<Shared>, head: Head, is_elsewhere: bool) -> Self {
        let mut state = lock(&shared.state);
        let number = state.seen.len();
        let (method, path) = (head.word(0).to_owned(), head.word(1).to_owned());
        let (mut trouble, mut hold) = (None, None);
        for rule in &mut state.rules {
            let is_taken = match rule.what {
                What::Trouble(_) => trouble.is_some(),
                What::Hold(..) => hold.is_some(),
            };
            if is_taken || !rule.when.hits(number, &method, &path) {
                continue;
            }
            match &rule.what {
                What::Trouble(found) => trouble = Some(found.clone()),
                What::Hold(barrier, moment) => hold = Some((barrier.clone(), *moment)),
            }
        }
        state.hits += usize::from(trouble.is_some());
        if trouble == Some(Trouble::ExpireTokens) {
            state.tokens.expire();
        }
        state.seen.push(Seen {
            method,
            path,
            is_elsewhere,
            is_authorized: head.get("authorization").is_some(),
            sent: 0,
            status: 0,
            headers: Vec::new(),
            received: 0,
        });
        let (age, link) = (state.age, state.link);
        drop(state);
        let shared = Arc::clone(shared);
        Self { shared, head, is_elsewhere, number, age, link, trouble, hold }
    }

    async fn exchange(
        &mut self,
        client: &mut Peer,
        registry: &mut Option<Peer>,
    ) -> io::Result<Ending> {
        tokio::time::sleep(self.link.round_trip).await;
        self.hold_at(Moment::Before).await;
        if self.head.get("expect").is_some() {
            client.to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            self.head.remove("expect");
        }
        if self.trouble == Some(Trouble::ResetBefore) {
            return Ok(Ending::Reset);
        }
        if let Some((head, body)) = self.own_answer() {
            self.drain(client).await?;
            return self.answer_ourselves(client, head, &body).await;
        }
        self.adapt();
        let mut peer = match registry.take() {
            Some(peer) => peer,
            None => Peer::new(TcpStream::connect(&self.shared.upstream).await?),
        };
        peer.to.write_all(&self.head.to_bytes()).await?;
        if self.pass_request(client, &mut peer).await? == Some(Stop::Reset) {
            return Ok(Ending::Reset);
        }
        let Some(answer) = Head::read(&mut peer.from).await? else {
            return Ok(Ending::Closed);
        };
        self.hold_at(Moment::Behind).await;
        if self.trouble == Some(Trouble::ResetBehind) {
            return Ok(Ending::Reset);
        }
        let keeps = answer.get("connection").is_none_or(|text| !text.contains("close"));
        let ending = self.pass_answer(client, &mut peer, answer).await?;
        if ending == Ending::Open && keeps && self.trouble != Some(Trouble::ShortAnswer) {
            *registry = Some(peer);
        }
        Ok(ending)
    }

    async fn hold_at(&self, moment: Moment) {
        if let Some((barrier, _)) = self.hold.as_ref().filter(|(_, at)| *at == moment) {
            barrier.pass().await;
        }
    }

    /// What is said without asking the registry.
    fn own_answer(&self) -> Option<(Head, String)> {
        let here = self.shared.here;
        if let Some((status, retry_after)) = self.trouble.as_ref().and_then(Trouble::refusal) {
            let mut head = own_head(status, "application/json");
            if let Some(text) = retry_after {
                head.set("retry-after", text);
            }
            return Some((head, refusal_body(status)));
        }
        if self.trouble == Some(Trouble::WebPage) {
            return Some((own_head(200, "text/html"), PAGE.to_owned()));
        }
        let path = self.head.word(1);
        let next = match self.trouble {
            Some(Trouble::Elsewhere) if !self.is_elsewhere => Some(self.shared.elsewhere),
            Some(Trouble::RedirectLoop) => Some(here),
            _ => None,
        };
        if let Some(next) = next {
            let mut head = own_head(307, "text/plain");
            head.set("location", format!("http://{next}{path}"));
            return Some((head, String::new()));
        }
        let authorization = self.head.get("authorization");
        if self.is_elsewhere {
            // As stores behind signed addresses do.
            return authorization.map(|_| (own_head(400, "text/plain"), "two credentials".into()));
        }
        let mut state = lock(&self.shared.state);
        if !state.tokens.are_wanted {
            return None;
        }
        if let Some(query) = path.strip_prefix("/token?") {
            let token = state.tokens.give(query);
            let body = format!(r#"{{"token":"{token}","expires_in":300}}"#);
            return Some((own_head(200, "application/json"), body));
        }
        if state.tokens.allow(authorization, self.head.word(0), path) {
            return None;
        }
        let scope = scope(self.head.word(0), path);
        let mut head = own_head(401, "application/json");
        let challenge =
            format!("Bearer realm=\"http://{here}/token\",service=\"test\",scope=\"{scope}\"");
        head.set("www-authenticate", challenge);
        Some((head, refusal_body(401)))
    }

    async fn answer_ourselves(
        &self,
        client: &mut Peer,
        mut head: Head,
        body: &str,
    ) -> io::Result<Ending> {
        head.set("content-length", body.len().to_string());
        client.to.write_all(&head.to_bytes()).await?;
        let mut received = 0;
        if self.head.word(0) != "HEAD" {
            client.to.write_all(body.as_bytes()).await?;
            received = body.len() as u64;
        }
        self.note(&head, received);
        Ok(Ending::Open)
    }

    /// The request as the registry is to hear it.
    fn adapt(&mut self) {
        let has_our_token =
            self.head.get("authorization").is_some_and(|text| text.starts_with("Bearer token-"));
        if has_our_token {
            self.head.remove("authorization");
        }
        match self.trouble {
            Some(Trouble::WholeForPart) => self.head.remove("range"),
            Some(Trouble::OtherPart) => {
                let range = self.head.get("range").and_then(|text| text.strip_prefix("bytes="));
                let ends = range.and_then(|text| text.split_once('-'));
                let parsed = ends.and_then(|(start, end)| {
                    Some((start.parse::<u64>().ok()?, end.parse::<u64>().ok()?))
                });
                if let Some((start, end)) = parsed {
                    let (start, end) = (start.saturating_sub(1), end.saturating_sub(1));
                    self.head.set("range", format!("bytes={start}-{end}"));
                }
            }
            _ => {}
        }
    }

    /// The body of the request; where it stopped before its end, how.
    async fn pass_request(
        &self,
        client: &mut Peer,
        registry: &mut Peer,
    ) -> io::Result<Option<Stop>> {
        let framing = self.head.request_framing();
        let has_body = framing != Framing::Length(0);
        let middle = Middle {
            hold: self.within().filter(|_| has_body),
            corrupts: self.trouble == Some(Trouble::CorruptRequest),
            stop: (self.trouble == Some(Trouble::ResetInRequest)).then_some(Stop::Reset),
        };
        let (sent, stop) = match has_body {
            true => self.relay(client, registry, framing, (&self.shared.up, middle)).await?,
            false => (0, None),
        };
        self.with_seen(|seen| seen.sent = sent);
        Ok(stop)
    }

    async fn pass_answer(
        &self,
        client: &mut Peer,
        registry: &mut Peer,
        mut head: Head,
    ) -> io::Result<Ending> {
        let method = self.head.word(0);
        let framing = head.answer_framing(method);
        let trouble = self.trouble.as_ref();
        let has_body = framing != Framing::Length(0);
        let stop = match trouble {
            Some(Trouble::ResetInAnswer) => Some(Stop::Reset),
            Some(Trouble::CutAnswer) => Some(Stop::Cut),
            Some(Trouble::ShortAnswer) => Some(Stop::Short),
            _ => None,
        };
        self.falsify(&mut head, framing);
        let out = match framing {
            Framing::Length(_) if method != "HEAD" && head.get("content-length").is_none() => {
                head.set("transfer-encoding", "chunked");
                Framing::Chunked
            }
            Framing::Length(_) | Framing::Chunked | Framing::UntilClose => framing,
        };
        client.to.write_all(&head.to_bytes()).await?;
        let middle = Middle {
            hold: self.within().filter(|_| self.head.request_framing() == Framing::Length(0)),
            corrupts: trouble == Some(&Trouble::CorruptAnswer),
            stop: stop.filter(|_| has_body),
        };
        let mut to = Outlet { peer: client, framing: out };
        let (received, stopped) =
            self.relay_to(registry, &mut to, framing, (&self.shared.down, middle)).await?;
        if trouble == Some(&Trouble::LongAnswer) && has_body {
            write_piece(&mut client.to, out, EXTRA).await?;
        }
        if matches!(stopped, None | Some(Stop::Short)) && method != "HEAD" {
            write_end(&mut client.to, out).await?;
        }
        self.note(&head, received);
        Ok(match stopped {
            Some(Stop::Reset) => Ending::Reset,
            Some(Stop::Cut) => Ending::Closed,
            Some(Stop::Short) | None if out == Framing::UntilClose => Ending::Closed,
            Some(Stop::Short) | None => Ending::Open,
        })
    }

    /// The barrier of a request that is held in the middle.
    fn within(&self) -> Option<Barrier> {
        let hold = self.hold.as_ref().filter(|(_, moment)| *moment == Moment::Within);
        hold.map(|(barrier, _)| barrier.clone())
    }

    /// Makes the head of the answer say what the trouble wants.
    fn falsify(&self, head: &mut Head, framing: Framing) {
        let length = match framing {
            Framing::Length(length) if length > 0 => Some(length),
            Framing::Length(_) | Framing::Chunked | Framing::UntilClose => None,
        };
        match (&self.trouble, length) {
            (Some(Trouble::ShortAnswer), Some(length)) => {
                head.set("content-length", (length / 2).to_string());
            }
            (Some(Trouble::LongAnswer), Some(length)) => {
                head.set("content-length", (length + EXTRA.len() as u64).to_string());
            }
            (Some(Trouble::WrongDigest), _) => {
                head.set("docker-content-digest", format!("sha256:{}", "0".repeat(64)));
            }
            (Some(Trouble::Without(name)), _) => head.remove(name),
            (Some(Trouble::With(name, value)), _) => head.set(name, *value),
            _ => {}
        }
    }

    /// Reads what is left of the request, so that the connection can be used again.
    async fn drain(&self, client: &mut Peer) -> io::Result<()> {
        let mut body = Body::new(self.head.request_framing());
        let mut sent = 0;
        while let Some(piece) = body.next(&mut client.from).await? {
            self.shared.up.pass(self.link, piece.len()).await;
            sent += piece.len() as u64;
        }
        self.with_seen(|seen| seen.sent = sent);
        Ok(())
    }

    async fn relay(
        &self,
        from: &mut Peer,
        to: &mut Peer,
        framing: Framing,
        way: (&Lane, Middle),
    ) -> io::Result<(u64, Option<Stop>)> {
        let mut outlet = Outlet { peer: to, framing };
        let relayed = self.relay_to(from, &mut outlet, framing, way).await?;
        if relayed.1.is_none() {
            write_end(&mut to.to, framing).await?;
        }
        Ok(relayed)
    }

    /// Passes a body on, without its end; how many bytes, and where it stopped in the middle, how.
    async fn relay_to(
        &self,
        from: &mut Peer,
        to: &mut Outlet<'_>,
        framing: Framing,
        (lane, mut middle): (&Lane, Middle),
    ) -> io::Result<(u64, Option<Stop>)> {
        let turn = match framing {
            Framing::Length(length) => length / 2,
            // As good a middle as any where nobody knows the end.
            Framing::Chunked | Framing::UntilClose => 1,
        };
        let (mut body, mut passed) = (Body::new(framing), 0_u64);
        while let Some(mut piece) = body.next(&mut from.from).await? {
            let behind = passed + piece.len() as u64;
            if !middle.is_quiet() && passed <= turn && turn < behind {
                let at = usize::try_from(turn - passed).unwrap_or_default();
                let rest = piece.split_off(at);
                self.pass_piece(to, lane, &piece).await?;
                if let Some(barrier) = middle.hold.take() {
                    barrier.pass().await;
                }
                if let Some(stop) = middle.stop {
                    return Ok((turn, Some(stop)));
                }
                piece = rest;
                if let Some(first) = piece.first_mut().filter(|_| middle.corrupts) {
                    *first ^= 1;
                }
            }
            self.pass_piece(to, lane, &piece).await?;
            passed = behind;
        }
        Ok((passed, None))
    }

    async fn pass_piece(&self, to: &mut Outlet<'_>, lane: &Lane, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        lane.pass(self.link, piece.len()).await;
        write_piece(&mut to.peer.to, to.framing, piece).await
    }

    fn note(&self, answer: &Head, received: u64) {
        self.with_seen(|seen| {
            seen.status = answer.word(1).parse().unwrap_or_default();
            seen.headers.clone_from(&answer.headers);
            seen.received = received;
        });
    }

    /// Adds to what is remembered of this request, unless all was forgotten since.
    fn with_seen(&self, change: impl FnOnce(&mut Seen)) {
        let mut state = lock(&self.shared.state);
        let is_remembered = state.age == self.age;
        if let Some(seen) = state.seen.get_mut(self.number).filter(|_| is_remembered) {
            change(seen);
        }
    }
}

impl Middle {
    fn is_quiet(&self) -> bool {
        self.hold.is_none() && !self.corrupts && self.stop.is_none()
    }
}

/// Where a body goes.
struct Outlet<'a> {
    peer: &'a mut Peer,
    framing: Framing,
}

fn own_head(status: u16, media_type: &str) -> Head {
    let headers = vec![("content-type".to_owned(), media_type.to_owned())];
    Head { first: format!("HTTP/1.1 {status} of-the-test"), headers }
}

/// As registries write it (distribution-spec, "Error Codes").
fn refusal_body(status: u16) -> String {
    let code = match status {
        401 => "UNAUTHORIZED",
        403 => "DENIED",
        429 => "TOOMANYREQUESTS",
        _ => "UNKNOWN",
    };
    format!(r#"{{"errors":[{{"code":"{code}","message":"trouble"}}]}}"#)
}
