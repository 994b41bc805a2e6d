//! The files of an image, as a container would see them: its layers one above the other.
//!
//! Archives are read here and not by the product or by `tar`, which would need root to keep owners.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::skopeo::Skopeo;

const BLOCK: usize = 512;

/// What stands in a layer for "what is below is gone" (image-spec, "Whiteouts").
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// The files of an image by path, each described by kind, permission bits, owner and content: two
/// are equal if a container cannot tell them apart, but for times.
pub type Tree = BTreeMap<String, String>;

/// One entry of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerEntry {
    /// Without a slash at either end.
    pub path: String,
    /// As in `Tree`, or the target of a hard link.
    pub described: String,
    is_hard_link: bool,
    is_directory: bool,
}

impl Skopeo {
    /// The layers of the image at `reference`, the lowest first.
    ///
    /// # Panics
    /// Skopeo fails, or a layer is no archive.
    pub fn layers(&self, reference: &str) -> Vec<Vec<LayerEntry>> {
        let folder = tempfile::TempDir::new().expect("a temporary folder can be made");
        self.copy_decompressed(reference, &format!("dir:{}", folder.path().display()));
        let read = |name: &str| {
            let path = folder.path().join(name);
            std::fs::read(&path)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
        };
        let manifest: serde_json::Value =
            serde_json::from_slice(&read("manifest.json")).expect("a manifest is JSON");
        let layers = manifest["layers"].as_array().expect("an image has layers");
        let digests = layers.iter().map(|layer| layer["digest"].as_str().expect("a digest"));
        digests.map(|digest| entries(&read(digest.trim_start_matches("sha256:")))).collect()
    }

    /// The files of the image at `reference`.
    ///
    /// # Panics
    /// As [`Self::layers`].
    pub fn tree(&self, reference: &str) -> Tree {
        let mut tree = Tree::new();
        for layer in self.layers(reference) {
            apply(&mut tree, layer);
        }
        tree
    }
}

/// The files and the configuration of the image `tag` of the OCI layout in `folder`, without the
/// price of a program for each.
///
/// # Panics
/// There is no such image, or `gzip` is missing.
pub fn image_of_layout(folder: &Path, tag: &str) -> (Tree, serde_json::Value) {
    let read = |name: &Path| {
        let path = folder.join(name);
        std::fs::read(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    };
    let json = |name: &Path| -> serde_json::Value {
        serde_json::from_slice(&read(name)).expect("what describes an image is JSON")
    };
    let blob = |descriptor: &serde_json::Value| {
        let digest = descriptor["digest"].as_str().expect("a descriptor has a digest");
        Path::new("blobs").join(digest.replace(':', "/"))
    };
    let index = json(Path::new("index.json"));
    let entries_of_index = index["manifests"].as_array().expect("an index has manifests");
    let named = |entry: &&serde_json::Value| {
        entry["annotations"]["org.opencontainers.image.ref.name"] == tag
    };
    let entry = entries_of_index.iter().find(named);
    let manifest = json(&blob(entry.unwrap_or_else(|| panic!("no {tag} in {index}"))));
    let mut tree = Tree::new();
    for layer in manifest["layers"].as_array().expect("an image has layers") {
        let name = blob(layer);
        let is_compressed = layer["mediaType"].as_str().is_some_and(|text| text.ends_with("gzip"));
        let archive = match is_compressed {
            true => {
                let mut gzip = std::process::Command::new("gzip");
                let done = gzip.arg("-dc").stdin(open(&folder.join(name))).output();
                done.expect("gzip can be run").stdout
            }
            false => read(&name),
        };
        apply(&mut tree, entries(&archive));
    }
    (tree, json(&blob(&manifest["config"])))
}

fn open(path: &Path) -> std::fs::File {
    std::fs::File::open(path).unwrap_or_else(|error| panic!("no {}: {error}", path.display()))
}

fn apply(tree: &mut Tree, layer: Vec<LayerEntry>) {
    // Whiteouts are about what is below, wherever they stand in the layer.
    for entry in &layer {
        let (folder, name) = split(&entry.path);
        if name == OPAQUE {
            remove_below(tree, folder);
        } else if let Some(gone) = name.strip_prefix(WHITEOUT) {
            let path = join(folder, gone);
            remove_below(tree, &path);
            tree.remove(&path);
        }
    }
    for entry in layer {
        if split(&entry.path).1.starts_with(WHITEOUT) || entry.path.is_empty() {
            continue;
        }
        let described = match entry.is_hard_link {
            true => tree.get(&entry.described).cloned().unwrap_or_else(|| {
                panic!("{} is a link to {}, which is not there", entry.path, entry.described)
            }),
            false => entry.described,
        };
        if !entry.is_directory {
            remove_below(tree, &entry.path);
        }
        tree.insert(entry.path, described);
    }
}

fn remove_below(tree: &mut Tree, folder: &str) {
    let above = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    tree.retain(|path, _| !path.starts_with(&above));
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn join(folder: &str, name: &str) -> String {
    Path::new(folder).join(name).display().to_string()
}

/// Reads a tar archive: ustar, with the long names of GNU and of POSIX (pax).
fn entries(archive: &[u8]) -> Vec<LayerEntry> {
    let mut entries = Vec::new();
    let mut long: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = archive;
    while rest.len() >= BLOCK && rest[..BLOCK].iter().any(|byte| *byte != 0) {
        let header = &rest[..BLOCK];
        let text = |from: usize, length: usize| text(&header[from..from + length]);
        let number = |from, length| number(&header[from..from + length]);
        let of = |key: &str, usual: u64| {
            long.get(key).map_or(usual, |text| text.parse().expect("a number"))
        };
        let size = of("size", number(124, 12));
        let size = usize::try_from(size).expect("a test's file is small");
        let content = &rest[BLOCK..BLOCK + size];
        rest = &rest[(BLOCK + size.next_multiple_of(BLOCK)).min(rest.len())..];
        match header[156] {
            b'x' => long.extend(records(content)),
            b'g' => {}
            b'L' => _ = long.insert("path".to_owned(), self::text(content)),
            b'K' => _ = long.insert("linkpath".to_owned(), self::text(content)),
            kind => {
                let prefix =
                    if &header[257..263] == b"ustar\0" { text(345, 155) } else { String::new() };
                let name =
                    long.get("path").cloned().unwrap_or_else(|| join(&prefix, &text(0, 100)));
                let link = long.get("linkpath").cloned().unwrap_or_else(|| text(157, 100));
                let what = match kind {
                    b'1' => clean(&link),
                    b'2' => format!("link to {link}"),
                    b'3' | b'4' => format!("device {}:{}", number(329, 8), number(337, 8)),
                    b'5' => "directory".to_owned(),
                    b'6' => "fifo".to_owned(),
                    _ => format!("file {size} {}", hex::encode(Sha256::digest(content))),
                };
                let (uid, gid) = (of("uid", number(108, 8)), of("gid", number(116, 8)));
                // Nobody asks for the bits of a link.
                let mode = if kind == b'2' { 0o777 } else { number(100, 8) & 0o7777 };
                entries.push(LayerEntry {
                    path: clean(&name),
                    described: match kind {
                        b'1' => what,
                        _ => format!("{mode:o} {uid}:{gid} {what}"),
                    },
                    is_hard_link: kind == b'1',
                    is_directory: kind == b'5',
                });
                long.clear();
            }
        }
    }
    entries
}

fn clean(path: &str) -> String {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn number(field: &[u8]) -> u64 {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        return field.iter().skip(1).fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    }
    let text = text(field);
    u64::from_str_radix(text.trim(), 8).unwrap_or_default()
}

/// `LENGTH KEY=VALUE\n`, again and again.
fn records(mut content: &[u8]) -> Vec<(String, String)> {
    let mut records = Vec::new();
    while let Some(space) = content.iter().position(|byte| *byte == b' ') {
        let length: usize = text(&content[..space]).parse().expect("a record has a length");
        let record = String::from_utf8_lossy(&content[space + 1..length - 1]).into_owned();
        let (key, value) = record.split_once('=').expect("a record has a key");
        records.push((key.to_owned(), value.to_owned()));
        content = &content[length..];
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, described: &str) -> LayerEntry {
        LayerEntry {
            path: path.to_owned(),
            described: described.to_owned(),
            is_hard_link: false,
            is_directory: described == "directory",
        }
    }

    #[test]
    fn whiteouts_take_away_what_is_below_alone() {
        let mut tree = Tree::new();
        let below =
            [entry("d", "directory"), entry("d/a", "1"), entry("d/b", "2"), entry("e", "3")];
        apply(&mut tree, below.into());
        apply(&mut tree, vec![entry("d/.wh.a", ""), entry("e", "directory"), entry("e/c", "4")]);
        let left: Vec<&str> = tree.keys().map(String::as_str).collect();
        assert_eq!(left, ["d", "d/b", "e", "e/c"]);
        apply(
            &mut tree,
            vec![entry("d/new", "5"), entry("d/.wh..wh..opq", ""), entry(".wh.e", "")],
        );
        let left: Vec<&str> = tree.keys().map(String::as_str).collect();
        assert_eq!(left, ["d", "d/new"]);
    }
}
