//! Repositories on servers, the server being a function.

use std::cell::RefCell;

use report::{Fault, Kind};

use super::super::packet::{self, FLUSH};
use super::super::{GitError, GitHttp, GitReply, GitSource};
use super::fixture::{Fixture, TIME};
use super::local::{MAIN, files};
use crate::context::{Context, ContextError};

/// A server of one repository, and what it was asked.
struct Server {
    fixture: Fixture,
    speaks: Speaks,
    asked: RefCell<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Version2,
    Version0,
    /// With `# service=` before the lines, as most servers do.
    Announced,
    /// Something else.
    Html,
    /// Only that it will not.
    Refusal,
    /// A pack without its end.
    Half,
}

const URL: &str = "https://host/r.git";

impl Server {
    fn new(speaks: Speaks) -> Self {
        Self { fixture: Fixture::usual(), speaks, asked: RefCell::default() }
    }

    fn capabilities(&self) -> Vec<u8> {
        let mut reply = Vec::new();
        if self.speaks == Speaks::Announced || self.speaks == Speaks::Version0 {
            packet::write(&mut reply, "# service=git-upload-pack\n");
            reply.extend_from_slice(FLUSH);
        }
        match self.speaks {
            Speaks::Html => reply.extend_from_slice(b"<html>sign in</html>"),
            Speaks::Refusal => packet::write(&mut reply, "ERR repository is locked\n"),
            Speaks::Version0 => {
                let mut capabilities = "\0multi_ack_detailed side-band-64k shallow ofs-delta";
                for (name, id) in &self.fixture.references {
                    packet::write(&mut reply, &format!("{id} {name}{capabilities}\n"));
                    capabilities = "";
                }
                reply.extend_from_slice(FLUSH);
            }
            Speaks::Version2 | Speaks::Announced | Speaks::Half => {
                for line in ["version 2\n", "ls-refs=unborn\n", "fetch=shallow\n"] {
                    packet::write(&mut reply, line);
                }
                reply.extend_from_slice(FLUSH);
            }
        }
        reply
    }

    fn answer(&self, body: &str) -> Vec<u8> {
        let mut reply = Vec::new();
        if body.contains("command=ls-refs") {
            for (name, id) in &self.fixture.references {
                if body.lines().any(|line| {
                    line.split_once("ref-prefix ")
                        .is_some_and(|(_, prefix)| name.starts_with(prefix))
                }) {
                    packet::write(&mut reply, &format!("{id} {name}\n"));
                }
            }
            reply.extend_from_slice(FLUSH);
            return reply;
        }
        if self.speaks == Speaks::Version0 {
            packet::write(&mut reply, "shallow 0000000000000000000000000000000000000000\n");
            reply.extend_from_slice(FLUSH);
            packet::write(&mut reply, "NAK\n");
        } else {
            packet::write(&mut reply, "shallow-info\n");
            packet::write(&mut reply, "shallow 0000000000000000000000000000000000000000\n");
            reply.extend_from_slice(b"0001");
            packet::write(&mut reply, "packfile\n");
        }
        packet::write(&mut reply, "\x02counting\n");
        let (mut pack, _) = self.fixture.pack();
        if self.speaks == Speaks::Half {
            pack.truncate(pack.len() / 2);
        }
        for chunk in pack.chunks(100) {
            reply.extend_from_slice(format!("{:04x}\x01", chunk.len() + 5).as_bytes());
            reply.extend_from_slice(chunk);
        }
        reply.extend_from_slice(FLUSH);
        reply
    }
}

impl GitHttp for Server {
    fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<GitReply, Fault> {
        self.asked.borrow_mut().push(format!("GET {url}"));
        assert_eq!(headers, [("Git-Protocol", "version=2")]);
        if !url.starts_with(URL) {
            return Err(Fault::new(Kind::NotFound, "there is nothing"));
        }
        // It moved.
        let url = url.replace("host", "other");
        Ok(GitReply { url, body: Box::new(std::io::Cursor::new(self.capabilities())) })
    }

    fn post(&self, url: &str, _: &[(&str, &str)], body: &[u8]) -> Result<GitReply, Fault> {
        let body = String::from_utf8(body.to_vec()).unwrap();
        self.asked.borrow_mut().push(format!("POST {url}"));
        let reply = self.answer(&body);
        Ok(GitReply { url: url.to_owned(), body: Box::new(std::io::Cursor::new(reply)) })
    }
}

fn context(server: &Server, fragment: &str) -> Result<Context, ContextError> {
    let source = GitSource::parse(&format!("{URL}{fragment}")).unwrap();
    let home = tempfile::tempdir().unwrap();
    Context::git(&source, Some(server), &home.keep())
}

fn error(server: &Server, fragment: &str) -> (String, Option<String>) {
    let ContextError::Git(error) = context(server, fragment).unwrap_err() else { panic!() };
    let message = error.to_string();
    (message, Fault::from(error).help)
}

#[test]
fn a_commit_is_fetched_with_either_protocol() {
    for speaks in [Speaks::Version2, Speaks::Announced, Speaks::Version0] {
        let server = Server::new(speaks);
        let main = server.fixture.references["HEAD"];
        for fragment in ["", "#main", "#v1", "#refs/tags/v1", &format!("#{main}")] {
            let context = context(&server, fragment).unwrap();
            assert_eq!(files(&context), MAIN, "{fragment}");
            let commit = context.commit().unwrap().unwrap();
            assert_eq!((commit.id, commit.time), (main.to_string(), TIME));
        }
        let part = context(&server, "#feature/dev").unwrap();
        assert_eq!(files(&part), ["644 README read me", "755 run #!/bin/sh"]);
    }
}

#[test]
fn few_requests_are_made_and_a_move_is_followed() {
    let server = Server::new(Speaks::Version2);
    context(&server, "#main").unwrap();
    assert_eq!(
        *server.asked.borrow(),
        [
            "GET https://host/r.git/info/refs?service=git-upload-pack",
            "POST https://other/r.git/git-upload-pack",
            "POST https://other/r.git/git-upload-pack",
        ]
    );
    let server = Server::new(Speaks::Version2);
    context(&server, &format!("#{}", server.fixture.references["HEAD"])).unwrap();
    assert_eq!(server.asked.borrow().len(), 2);
}

#[test]
fn what_a_server_has_not_is_named() {
    for speaks in [Speaks::Version2, Speaks::Version0] {
        let server = Server::new(speaks);
        assert_eq!(
            error(&server, "#mian"),
            (
                "the repository has no branch, tag or commit `mian`".to_owned(),
                Some("did you mean `main`?".to_owned())
            )
        );
        let mut empty = Server::new(speaks);
        empty.fixture.references.clear();
        assert_eq!(error(&empty, "").1.as_deref(), Some("name a branch behind `#`"));
    }
}

#[test]
fn servers_that_make_no_sense_are_not_believed() {
    assert_eq!(
        error(&Server::new(Speaks::Refusal), "").0,
        "`https://host/r.git` refused: repository is locked"
    );
    assert_eq!(
        error(&Server::new(Speaks::Html), "").0,
        "the pack of `https://host/r.git` cannot be received"
    );
    assert!(error(&Server::new(Speaks::Half), "").0.starts_with("the repository is broken"));
    let source = GitSource::parse("https://nowhere/r.git").unwrap();
    let home = tempfile::tempdir().unwrap();
    let found = Context::git(&source, Some(&Server::new(Speaks::Version2)), home.path());
    let ContextError::Git(GitError::Http(fault)) = found.unwrap_err() else { panic!() };
    assert_eq!(*fault, Fault::new(Kind::NotFound, "there is nothing"));
}
