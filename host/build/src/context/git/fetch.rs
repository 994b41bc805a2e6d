//! One commit of a repository on a server: `gitprotocol-http`, with version 2 of the protocol, and
//! version 0 for servers that know no better.

use std::io::{self, Read, Write as _};
use std::path::Path;

use super::object::Id;
use super::pack::IndexedPack;
use super::packet::{self, DELIMITER, FLUSH, Packet};
use super::repository::{PREFIXES, no_such_reference};
use super::{GitError, GitHttp, GitReply};

const SERVICE: &str = "/info/refs?service=git-upload-pack";
const VERSION_2: (&str, &str) = ("Git-Protocol", "version=2");
const REQUEST: (&str, &str) = ("Content-Type", "application/x-git-upload-pack-request");
const RESULT: (&str, &str) = ("Accept", "application/x-git-upload-pack-result");

/// 64 MiB of references: more than the largest repositories announce.
const LARGEST_ANNOUNCEMENT: u64 = 64 << 20;

/// Fetches what `reference` is, with all its files and without its history.
pub(super) fn fetch(
    http: &dyn GitHttp,
    url: &str,
    reference: Option<&str>,
    scratch: &Path,
    limit: u64,
) -> Result<(IndexedPack, Id), GitError> {
    let reply = http.get(&format!("{url}{SERVICE}"), &[VERSION_2]).map_err(refused)?;
    // A repository that moved: what follows goes where it is now.
    let base = reply.url.strip_suffix(SERVICE).unwrap_or(url).to_owned();
    let remote = Remote { http, url, base };
    let mut body = reply.body.take(LARGEST_ANNOUNCEMENT);
    let mut lines = remote.lines(&mut body)?;
    if lines.first().is_some_and(|line| line.starts_with("# service=")) {
        lines = remote.lines(&mut body)?;
    }
    let (id, mut pack) = if lines.first().is_some_and(|line| line == "version 2") {
        remote.version_2(&lines, reference)?
    } else {
        remote.version_0(&lines, reference)?
    };
    let transfer = |source| GitError::Transfer { url: url.to_owned(), source };
    let mut file = tempfile::NamedTempFile::new_in(scratch).map_err(transfer)?;
    remote.receive(pack.as_mut(), &mut file, limit)?;
    file.flush().map_err(transfer)?;
    Ok((IndexedPack::index(file.path(), limit)?, id))
}

struct Remote<'a> {
    http: &'a dyn GitHttp,
    /// As it was written, for messages.
    url: &'a str,
    /// Where requests go.
    base: String,
}

/// A reference that the server has.
struct Advertised {
    name: String,
    id: Id,
}

impl Remote<'_> {
    /// Asks for references, then for the commit.
    fn version_2(
        &self,
        capabilities: &[String],
        reference: Option<&str>,
    ) -> Result<(Id, Box<dyn Read + Send>), GitError> {
        if capabilities.iter().any(|line| line == "object-format=sha256") {
            return Err(GitError::Unsupported { what: "SHA-256 for its objects" });
        }
        let wanted = match reference.map(|name| (name, Id::parse(name.as_bytes()))) {
            Some((_, Some(id))) => id,
            Some((name, None)) => {
                let prefixes = PREFIXES.map(|prefix| format!("{prefix}{name}"));
                match choose(&self.list(&prefixes)?, Some(name)) {
                    Some(id) => id,
                    None => {
                        let all =
                            self.list(&["refs/heads/".to_owned(), "refs/tags/".to_owned()])?;
                        return Err(no_such_reference(name, &short_names(&all)));
                    }
                }
            }
            None => choose(&self.list(&["HEAD".to_owned()])?, None).ok_or_else(empty)?,
        };
        let mut message = Vec::new();
        packet::write(&mut message, "command=fetch\n");
        message.extend_from_slice(DELIMITER);
        for line in ["no-progress\n", "ofs-delta\n", "deepen 1\n"] {
            packet::write(&mut message, line);
        }
        packet::write(&mut message, &format!("want {wanted}\n"));
        packet::write(&mut message, "done\n");
        message.extend_from_slice(FLUSH);
        let mut reply = self.post(&[REQUEST, RESULT, VERSION_2], &message)?.body;
        loop {
            match self.packet(&mut reply)? {
                Some(Packet::Data(line)) if packet::text(&line) == "packfile" => {
                    return Ok((wanted, reply));
                }
                Some(_) => {}
                None => return Err(self.early()),
            }
        }
    }

    fn list(&self, prefixes: &[String]) -> Result<Vec<Advertised>, GitError> {
        let mut message = Vec::new();
        packet::write(&mut message, "command=ls-refs\n");
        message.extend_from_slice(DELIMITER);
        for prefix in prefixes {
            packet::write(&mut message, &format!("ref-prefix {prefix}\n"));
        }
        message.extend_from_slice(FLUSH);
        let reply = self.post(&[REQUEST, RESULT, VERSION_2], &message)?;
        let lines = self.lines(&mut reply.body.take(LARGEST_ANNOUNCEMENT))?;
        Ok(lines.iter().filter_map(|line| advertised(line)).collect())
    }

    /// The references were announced already.
    fn version_0(
        &self,
        lines: &[String],
        reference: Option<&str>,
    ) -> Result<(Id, Box<dyn Read + Send>), GitError> {
        let (_, capabilities) =
            lines.first().and_then(|line| line.split_once('\0')).unwrap_or_default();
        let known: Vec<&str> = capabilities.split(' ').collect();
        if known.contains(&"object-format=sha256") {
            return Err(GitError::Unsupported { what: "SHA-256 for its objects" });
        }
        let all: Vec<Advertised> = lines
            .iter()
            .filter_map(|line| advertised(line.split('\0').next().unwrap_or_default()))
            .collect();
        let wanted = match reference.and_then(|name| Id::parse(name.as_bytes())) {
            Some(id) => id,
            None => choose(&all, reference).ok_or_else(|| match reference {
                Some(name) => no_such_reference(name, &short_names(&all)),
                None => empty(),
            })?,
        };
        if !known.contains(&"side-band-64k") || !known.contains(&"shallow") {
            return Err(GitError::Unsupported { what: "a server without shallow clones" });
        }
        let asked = ["multi_ack_detailed", "side-band-64k", "ofs-delta", "no-progress"];
        let asked: Vec<&str> = asked.into_iter().filter(|asked| known.contains(asked)).collect();
        let mut message = Vec::new();
        packet::write(&mut message, &format!("want {wanted} {}\n", asked.join(" ")));
        packet::write(&mut message, "deepen 1\n");
        message.extend_from_slice(FLUSH);
        packet::write(&mut message, "done\n");
        let mut reply = self.post(&[REQUEST, RESULT], &message)?.body;
        // What is shallow, then that nothing is common, then the pack.
        loop {
            match self.packet(&mut reply)? {
                Some(Packet::Data(line)) if packet::text(&line) == "NAK" => {
                    return Ok((wanted, reply));
                }
                Some(_) => {}
                None => return Err(self.early()),
            }
        }
    }

    /// Writes the pack out of the packets that carry it.
    fn receive(
        &self,
        from: &mut dyn Read,
        to: &mut impl io::Write,
        limit: u64,
    ) -> Result<(), GitError> {
        let mut received = 0_u64;
        while let Some(packet) = self.packet(from)? {
            let Packet::Data(data) = packet else { break };
            match data.split_first() {
                Some((1, data)) => {
                    received += data.len() as u64;
                    if received > limit {
                        return Err(GitError::Limit { limit, what: "bytes" });
                    }
                    to.write_all(data).map_err(|source| self.transfer(source))?;
                }
                Some((3, message)) => return Err(self.says(&packet::text(message))),
                // Progress.
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn post(&self, headers: &[(&str, &str)], message: &[u8]) -> Result<GitReply, GitError> {
        let url = format!("{}/git-upload-pack", self.base);
        self.http.post(&url, headers, message).map_err(refused)
    }

    /// The lines up to the next flush.
    fn lines(&self, from: &mut dyn Read) -> Result<Vec<String>, GitError> {
        let mut lines = Vec::new();
        while let Some(packet) = self.packet(from)? {
            match packet {
                Packet::Data(data) => lines.push(packet::text(&data)),
                Packet::Flush => break,
                Packet::Delimiter => {}
            }
        }
        Ok(lines)
    }

    /// The next packet. `ERR` may come instead of any.
    fn packet(&self, from: &mut dyn Read) -> Result<Option<Packet>, GitError> {
        match packet::read(from).map_err(|source| self.transfer(source))? {
            Some(Packet::Data(data)) if data.starts_with(b"ERR ") => {
                let text = packet::text(&data);
                Err(self.says(text.trim_start_matches("ERR ")))
            }
            packet => Ok(packet),
        }
    }

    fn says(&self, message: &str) -> GitError {
        GitError::Server { url: self.url.to_owned(), message: message.trim().to_owned() }
    }

    fn transfer(&self, source: io::Error) -> GitError {
        GitError::Transfer { url: self.url.to_owned(), source }
    }

    fn early(&self) -> GitError {
        self.transfer(io::ErrorKind::UnexpectedEof.into())
    }
}

fn refused(fault: report::Fault) -> GitError {
    GitError::Http(Box::new(fault))
}

fn empty() -> GitError {
    GitError::NoSuchReference {
        reference: "HEAD".to_owned(),
        help: Some("name a branch behind `#`".to_owned()),
    }
}

fn advertised(line: &str) -> Option<Advertised> {
    let (id, rest) = line.split_once(' ')?;
    let name = rest.split(' ').next()?.to_owned();
    Some(Advertised { name, id: Id::parse(id.as_bytes())? })
}

/// The one of `all` that the name means.
fn choose(all: &[Advertised], name: Option<&str>) -> Option<Id> {
    let find = |name: &str| all.iter().find(|one| one.name == name).map(|one| one.id);
    match name {
        Some(name) => PREFIXES.iter().find_map(|prefix| find(&format!("{prefix}{name}"))),
        None => find("HEAD"),
    }
}

fn short_names(all: &[Advertised]) -> Vec<String> {
    let short = |one: &Advertised| {
        let name = one.name.strip_prefix("refs/heads/").or(one.name.strip_prefix("refs/tags/"));
        name.map(str::to_owned)
    };
    all.iter().filter_map(short).collect()
}
