//! Any bytes as a layer: what can be read is written, and read again the same; written once more, it
//! has the same bytes.
//!
//! `cargo +nightly fuzz run layer`, in the folder above.

#![no_main]

use std::io::{self, Cursor, Read as _, Write};
use std::sync::{Arc, Mutex};

use build::layer::{Compression, LayerOptions, LayerReader, LayerWriter, Limits, sort};
use build::{Entry, EntryKind};
use libfuzzer_sys::fuzz_target;
use windlass_build_fuzz::mended;

type Nodes = Vec<(Entry, Vec<u8>)>;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A refusal, in full.
fn told(error: impl std::error::Error) -> String {
    format!("{error:?}")
}

/// All entries, if nothing is wrong with any of them.
fn read(bytes: Vec<u8>) -> Result<Nodes, String> {
    let mut reader = LayerReader::new(Cursor::new(bytes), Limits::default());
    let mut nodes = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(told)? {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map_err(told)?;
        // Archives may say more of links and marks than their names; it means nothing.
        if !matches!(entry.kind, EntryKind::File { .. }) {
            content.clear();
        }
        nodes.push((entry, content));
    }
    reader.finish().map_err(told)?;
    Ok(nodes)
}

/// As a layer; none where it is no tree: a name twice, a file as a folder.
fn write(nodes: &Nodes) -> Option<Vec<u8>> {
    let sink = Sink::default();
    let options = LayerOptions { compression: Compression::None, ..LayerOptions::default() };
    let mut writer = LayerWriter::new(sink.clone(), &options);
    for (entry, content) in nodes {
        match entry.kind {
            EntryKind::File { .. } => writer.add(entry, &mut content.as_slice()).ok()?,
            _ => writer.add_empty(entry).ok()?,
        }
    }
    writer.finish().ok()?;
    let bytes = sink.0.lock().unwrap().clone();
    Some(bytes)
}

fuzz_target!(|bytes: &[u8]| {
    // As they are, since they may be compressed; and as a tar.
    let read_some = || read(bytes.to_vec()).or_else(|_| read(mended(bytes)));
    let Ok(mut nodes) = read_some() else { return };
    sort(&mut nodes, |(entry, _)| entry);
    let Some(written) = write(&nodes) else { return };
    let again = read(written.clone()).expect("what was written can be read");
    assert_eq!(again, nodes);
    assert_eq!(write(&again).as_ref(), Some(&written), "the same entries, the same bytes");
});
