//! What must not be said.

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing_subscriber::filter::LevelFilter;

use super::room::Open;
use super::{SECRET, endpoint};
use crate::Form;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_log_nor_answer_has_the_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let open = Open::with(&[
        ("hub", endpoint(Form::DockerHub, None, None)),
        ("grid", endpoint(Form::EventGrid, None, None)),
    ])
    .await;
    let basic = format!("authorization: Basic {}\r\n", STANDARD.encode(format!("a:{SECRET}x")));
    let mut answers = String::new();
    for (line, headers) in [
        (format!("POST /hooks/hub?token={SECRET}"), ""),
        (format!("POST /hooks/hub?token={SECRET}x"), ""),
        (format!("POST /hooks/{SECRET}"), ""),
        (format!("POST /hooks/hub/{SECRET}"), ""),
        (format!("GET /hooks/hub?token={SECRET}"), ""),
        (format!("OPTIONS /hooks/grid?token={SECRET}"), ""),
        ("POST /hooks/hub".to_owned(), &basic),
    ] {
        answers += &open.ask(&line, headers).await;
        answers.push('\n');
    }
    // Half a request, and one that is none.
    let half = format!("POST /hooks/hub?token={SECRET} HTTP/1.1\r\ncontent-length: x\r\n\r\n");
    answers += &open.raw(half.as_bytes()).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let statuses: Vec<&str> = answers.lines().map(|line| &line[..3]).take(7).collect();
    assert_eq!(statuses, ["400", "401", "404", "404", "405", "400", "401"]);
    assert_eq!(log.matches("refused status=401 endpoint=\"hub\"").count(), 2, "{log}");
    assert!(!answers.contains(SECRET), "{answers}");
    assert!(!log.contains(SECRET), "{log}");
}
