//! A step that looks for the machine it runs on, through the standard library alone, and gives back
//! what it found: environment, files, sockets, clock, random numbers, standard output.

#![expect(clippy::disallowed_methods, reason = "to reach for what is not there is the point")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "where prints end is the point")]

use std::hash::{BuildHasher, RandomState};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use windlass_plugin::{Context, Inputs, Outcome, Result, Schema, Step};

/// Where to look.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Environment variables, arguments, the working directory.
    Env,
    /// The text of the file `at`.
    Read,
    /// Writes to the file `at`.
    Write,
    /// The names in the folder `at`.
    List,
    /// TCP, UDP and name resolution of `at` (`host:port`).
    Sockets,
    /// The clocks and a random number.
    Clock,
    /// Prints `at` on standard output and standard error.
    Print,
}

/// What to do.
#[derive(Deserialize, Inputs)]
pub struct Search {
    act: Act,
    /// A path, an address, a text.
    #[serde(default)]
    at: String,
}

/// The step.
pub struct Machine;

impl Step for Machine {
    const NAME: &'static str = "machine";
    const SUMMARY: &'static str = "looks for the machine it runs on";
    type Inputs = Search;
    type Outputs = Map<String, Value>;

    fn run(Search { act, at }: Search, _: &Context) -> Result<Outcome<Self::Outputs>> {
        let found = match act {
            Act::Env => json!({
                "env": std::env::vars().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
                "args": std::env::args().collect::<Vec<_>>(),
                "folder": told(std::env::current_dir().map(|path| path.display().to_string())),
            }),
            Act::Read => json!({ "text": told(std::fs::read_to_string(at)) }),
            Act::Write => json!({ "written": told(std::fs::write(at, "here").map(|()| "yes")) }),
            Act::List => json!({ "names": told(std::fs::read_dir(at).map(names)) }),
            Act::Sockets => json!({
                "resolve": told(at.to_socket_addrs().map(|all| format!("{all:?}"))),
                "connect": told(TcpStream::connect(&at).map(|_| "connected")),
                "listen": told(TcpListener::bind("127.0.0.1:0").map(|_| "listening")),
                "udp": told(UdpSocket::bind("127.0.0.1:0").map(|_| "bound")),
            }),
            Act::Clock => clock(),
            Act::Print => {
                println!("out: {at}");
                eprintln!("err: {at}");
                json!({})
            }
        };
        Ok(Outcome::unchanged(found.as_object().cloned().unwrap_or_default()))
    }
}

windlass_plugin::step!(Machine);

fn clock() -> Value {
    let before = Instant::now();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    json!({
        "unix-seconds": since.map(|since| since.as_secs()).unwrap_or_default(),
        "goes-on": before.elapsed() <= before.elapsed(),
        "random": RandomState::new().hash_one(0).to_string(),
    })
}

/// What came back, or `error: ` and why nothing did.
fn told<T: ToString>(result: std::io::Result<T>) -> String {
    result.map_or_else(|error| format!("error: {error}"), |value| value.to_string())
}

fn names(entries: std::fs::ReadDir) -> String {
    let names =
        entries.map(|entry| told(entry.map(|entry| entry.file_name().display().to_string())));
    names.collect::<Vec<_>>().join(" ")
}
