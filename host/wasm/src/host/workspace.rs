//! `windlass:workspace`.

use super::{Answer, answer};
use crate::bindings::windlass::workspace::workspace::{Entry, Host, Kind};
use crate::state::StepState;

impl Host for StepState {
    async fn read(&mut self, path: String) -> Answer<Vec<u8>> {
        answer(self.granted.workspace.read(&path).await)
    }

    async fn write(&mut self, path: String, content: Vec<u8>) -> Answer<()> {
        answer(self.granted.workspace.write(&path, content).await)
    }

    async fn entries(&mut self, path: String) -> Answer<Vec<Entry>> {
        let entries = self.granted.workspace.entries(&path).await;
        answer(entries.map(|entries| entries.into_iter().map(entry).collect()))
    }
}

fn entry(entry: capability::DirectoryEntry) -> Entry {
    use capability::FileKind;
    let capability::DirectoryEntry { name, kind, size } = entry;
    let kind = match kind {
        FileKind::File => Kind::File,
        FileKind::Directory => Kind::Directory,
        FileKind::Link => Kind::Link,
        FileKind::Other => Kind::Other,
    };
    Entry { name, kind, size }
}
