//! A plugin whose description reaches for the host, and tells in its summary what it got.

#![expect(clippy::disallowed_methods, reason = "to reach for what is not there is the point")]

use windlass_plugin::schema::Empty;
use windlass_plugin::{
    Context, Outcome, Request, Result, Step, http, log, secrets, state, workspace,
};

/// The step; its requests are where it reaches.
pub struct Reaches;

impl Step for Reaches {
    const NAME: &'static str = "describe-reaches";
    const SUMMARY: &'static str = "reaches for the host while it is described";
    type Inputs = Empty;
    type Outputs = Empty;

    fn requests() -> Vec<Request> {
        log::info!("a word from a description");
        let got = [
            told("http", http::Request::get("http://127.0.0.1:9/").send()),
            told("secrets", secrets::get("token")),
            told("state", state::get("key")),
            told("workspace", workspace::read("Cargo.toml")),
            told("file", std::fs::read("/etc/passwd").map_err(Into::into)),
            told(
                "env",
                std::env::var("PATH").map_err(|_| windlass_plugin::Error::new("unset", "")),
            ),
        ];
        got.iter()
            .map(|(what, why)| {
                Request::new("http", "https://example.org", &format!("{what}: {why}"))
            })
            .collect()
    }

    fn run(_: Empty, _: &Context) -> Result<Outcome<Empty>> {
        Ok(Outcome::unchanged(Empty {}))
    }
}

windlass_plugin::step!(Reaches);

/// The code of the refusal, or `got` where there was none.
fn told<T>(what: &str, result: Result<T>) -> (String, String) {
    let why = result.map_or_else(|error| error.code().to_owned(), |_| "got".to_owned());
    (what.to_owned(), why)
}
