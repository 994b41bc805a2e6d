//! What the real az sent, sent again: every answer has the status and the shape that az accepted.
//!
//! The captures are under `tests/azure/captures`. Their requests are az's own; their answers came
//! from a research emulator whose shapes follow recordings of Azure. Values differ (ids, times), so
//! what is compared is the status, the names and types of members, and the headers that steer
//! clients. Where we differ on purpose, `differences.rs` says why.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says by a panic what is wrong"
)]

mod builder;
mod capture;
mod differences;
mod images;
mod issuer;
mod scene;
mod shape;
mod upstream;

use capture::Capture;
use scene::Scene;

#[tokio::test]
async fn every_capture_gets_the_answers_that_az_accepted() {
    let order = capture::order();
    let mut scene = Scene::open().await;
    let mut failed = Vec::new();
    let mut replayed = 0;
    let mut exchanges = 0;
    for name in &order {
        let capture = Capture::read(name);
        if capture.exchanges.is_empty() {
            // az refused by itself: there is nothing to answer.
            assert_eq!(name, "import-user-no-pass");
            continue;
        }
        scene.prepare(name).await;
        let wrong = scene.replay(&capture).await;
        exchanges += capture.exchanges.len();
        replayed += 1;
        if !wrong.is_empty() {
            failed.push(format!("{name}:\n  {}", wrong.join("\n  ")));
        }
    }
    println!(
        "{} of {replayed} captures pass ({exchanges} exchanges); 1 has none",
        replayed - failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    differences::all_used();
}

#[test]
fn every_file_is_in_the_list() {
    let mut listed = capture::order();
    listed.sort();
    assert_eq!(listed, capture::files());
}
