//! Real servers on loopback; names come from a table, so that `api.test` is where a test wants it.

mod addresses;
mod attacks;
mod forwarding;
mod identity;
mod sending;
mod server;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use futures::future::BoxFuture;

use super::{resolver::Names, *};
use crate::{
    GrantText, HttpText,
    recorder::{TestRun, TestRunBuilder},
};

/// Names that resolve as a test says; others do not exist.
#[derive(Default)]
struct Table(BTreeMap<&'static str, Vec<IpAddr>>);

impl Names for Table {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.get(name.as_str()).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

fn names() -> Arc<dyn Names> {
    let loopback = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    Arc::new(Table(BTreeMap::from([
        ("api.test", loopback.clone()),
        ("other.test", loopback),
        ("public.test", vec![IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8))]),
        ("private.test", vec![IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))]),
        ("metadata.test", vec![IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))]),
    ])))
}

/// A run whose names are those of the table.
fn run_with(builder: TestRunBuilder) -> TestRun {
    builder.http(Http::with_names(ClientOptions::default(), names())).build()
}

fn run() -> TestRun {
    run_with(TestRunBuilder::default())
}

/// Rules that may reach this machine.
fn private(urls: &[&str]) -> GrantText {
    let rule =
        |url: &&str| HttpText { url: (*url).to_owned(), private: true, ..HttpText::default() };
    GrantText {
        http: urls.iter().map(rule).collect(),
        secrets_use: vec!["*".to_owned()],
        ..GrantText::default()
    }
}

/// Rules that may not.
fn public(urls: &[&str]) -> GrantText {
    let mut grant = private(urls);
    grant.http.iter_mut().for_each(|rule| rule.private = false);
    grant
}

fn get(url: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        redirects: Redirects::Follow,
        timeout_ms: None,
    }
}

fn post(url: &str, body: Vec<Part>) -> Request {
    Request { method: "POST".to_owned(), body, ..get(url) }
}

fn plain(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: HeaderValue::Plain(value.to_owned()) }
}
