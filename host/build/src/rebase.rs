//! Rebase: the layers above an old base, on a new one, without building.
//!
//! It is safe where the layers above do not depend on what changed below. What can be held against
//! that is checked: that the image really stands on the old base, that both bases are for its
//! platform, and that no layer above replaces or removes a file that differs between the bases;
//! with one that does, the result would be neither what a build on the new base gives nor what was
//! tested.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::entry::EntryKind;
use crate::error::{Error, blocking};
use crate::filesystem::Filesystem;
use crate::layer::{LayerReader, Limits};

/// Paths of a refusal that are shown; the rest are counted.
const SHOWN: usize = 5;

/// An image on another base.
#[derive(Clone)]
pub struct Rebased {
    /// Its layers.
    pub filesystem: Filesystem,
    /// Its configuration, JSON.
    pub config: String,
    /// How many layers were moved.
    pub layers: usize,
    /// Whether it stood on the new base already.
    pub is_unchanged: bool,
}

/// Puts the layers of `image` above `old` onto `new`.
///
/// # Errors
/// [`Error::Rebase`] with the reason where that is not safe.
pub async fn rebase(
    image: &Filesystem,
    old: &Filesystem,
    new: &Filesystem,
) -> Result<Rebased, Error> {
    let count = old.layers.len();
    let stands = image.layers.len() >= count
        && image.layers.iter().zip(old.layers.iter()).all(|(a, b)| a.chain == b.chain);
    if !stands {
        return Err(Error::Rebase {
            why: format!("it does not stand on {}: its lowest layers are others", name(old)),
            help: "say with `old-base` what it was built on, by digest".to_owned(),
        });
    }
    let above: Vec<_> = image.layers.iter().skip(count).cloned().collect();
    let config = moved_config(image, old, new)?;
    if old.chain() == new.chain() {
        // The layers are the image's own to the byte; what they stand on is the base.
        let filesystem = Filesystem { base: new.base.clone(), ..image.clone() };
        return Ok(Rebased { filesystem, config, layers: above.len(), is_unchanged: true });
    }
    let touched = touched(image, &above).await?;
    let (before, after) = (old.snapshot().await?, new.snapshot().await?);
    let conflicts = blocking(move || {
        let differs = |path: &PathBuf| differs(&before, &after, path);
        Ok(touched.into_iter().filter(differs).collect::<Vec<_>>())
    })
    .await?;
    if !conflicts.is_empty() {
        let shown: Vec<String> =
            conflicts.iter().take(SHOWN).map(|path| format!("/{}", path.display())).collect();
        let more = conflicts.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        return Err(Error::Rebase {
            why: format!(
                "its layers change files that differ between the bases: {}{more}",
                shown.join(", ")
            ),
            help: "build it again on the new base".to_owned(),
        });
    }
    let mut filesystem = new.clone();
    for layer in &above {
        filesystem = filesystem.with_layer(layer.layer.clone(), layer.from.clone());
    }
    Ok(Rebased { filesystem, config, layers: above.len(), is_unchanged: false })
}

fn name(filesystem: &Filesystem) -> String {
    filesystem.base().map_or_else(
        || "an empty filesystem".to_owned(),
        |base| format!("{}@{}", base.name, base.resolved),
    )
}

/// The files that the layers above write or remove; directories are shared and do no harm.
async fn touched(
    image: &Filesystem,
    above: &[crate::filesystem::StackLayer],
) -> Result<BTreeSet<PathBuf>, Error> {
    let mut touched = BTreeSet::new();
    for layer in above {
        let blob = image.builder.fetch(layer).await?;
        let found = blocking(move || {
            let file = fs_err::File::open(&blob).map_err(Error::io("opening a layer"))?;
            let mut reader = LayerReader::new(file, Limits::default());
            let mut found = BTreeSet::new();
            while let Some(entry) = reader.next_entry()? {
                if entry.kind != EntryKind::Directory {
                    found.insert(entry.path);
                }
            }
            Ok(found)
        })
        .await?;
        touched.extend(found);
    }
    Ok(touched)
}

/// Whether `path` is not the same in two trees: there in one alone, or with other bytes.
fn differs(
    before: &crate::snapshot::Snapshot,
    after: &crate::snapshot::Snapshot,
    path: &Path,
) -> bool {
    use crate::tree::{Kind, Tree as _};
    let (Ok(a), Ok(b)) = (before.metadata(path), after.metadata(path)) else {
        return before.metadata(path).is_ok() != after.metadata(path).is_ok();
    };
    if (a.kind, a.mode, a.uid, a.gid) != (b.kind, b.mode, b.uid, b.gid) {
        return true;
    }
    match a.kind {
        Kind::File => a.size != b.size || content(before, path).ok() != content(after, path).ok(),
        Kind::Symlink => before.read_link(path).ok() != after.read_link(path).ok(),
        Kind::Directory
        | Kind::CharacterDevice { .. }
        | Kind::BlockDevice { .. }
        | Kind::Fifo
        | Kind::Socket => false,
    }
}

fn content(tree: &crate::snapshot::Snapshot, path: &Path) -> std::io::Result<oci::Digest> {
    use crate::tree::Tree as _;
    let mut hasher = oci::Hasher::new(oci::Algorithm::Sha256);
    let mut file = tree.open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = file.read(&mut buffer)?;
        match buffer.get(..length) {
            None | Some([]) => return Ok(hasher.finish()),
            Some(bytes) => hasher.update(bytes),
        }
    }
}

/// The image's configuration with the new base's history and variables in place of the old one's.
fn moved_config(image: &Filesystem, old: &Filesystem, new: &Filesystem) -> Result<String, Error> {
    let config = |filesystem: &Filesystem| -> Result<Map<String, Value>, Error> {
        let text = filesystem.base().map_or("{}", |base| &base.config);
        serde_json::from_str(text).map_err(|error| {
            Error::invalid(format!("a configuration is no JSON object: {error}"), "push it again")
        })
    };
    let (mut own, before, after) = (config(image)?, config(old)?, config(new)?);
    let history = |config: &Map<String, Value>| {
        config.get("history").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let (mine, theirs) = (history(&own), history(&before));
    let stands = mine.len() >= theirs.len() && mine.iter().zip(&theirs).all(|(a, b)| a == b);
    if stands && !mine.is_empty() {
        let above = mine.into_iter().skip(theirs.len());
        own.insert("history".to_owned(), history(&after).into_iter().chain(above).collect());
    } else {
        own.remove("history");
    }
    if let Some(Value::Object(mine)) = own.get_mut("config") {
        let of = |config: &Map<String, Value>| {
            config.get("config").and_then(Value::as_object).cloned().unwrap_or_default()
        };
        move_settings(mine, &of(&before), &of(&after));
    }
    serde_json::to_string(&own).map_err(|error| {
        Error::invalid(format!("a configuration cannot be written: {error}"), "push it again")
    })
}

/// What the image has from its old base follows the new one; what it said itself stays.
fn move_settings(own: &mut Map<String, Value>, old: &Map<String, Value>, new: &Map<String, Value>) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        match key.as_str() {
            "Env" => {
                let moved = move_variables(own.get(key), old.get(key), new.get(key));
                own.insert(key.clone(), moved);
            }
            "Labels" | "ExposedPorts" | "Volumes" => {
                let table = |value: Option<&Value>| {
                    value.and_then(Value::as_object).cloned().unwrap_or_default()
                };
                let (mut mine, before) = (table(own.get(key)), table(old.get(key)));
                mine.retain(|name, value| before.get(name) != Some(value));
                for (name, value) in table(new.get(key)) {
                    mine.entry(name).or_insert(value);
                }
                if !mine.is_empty() {
                    own.insert(key.clone(), Value::Object(mine));
                }
            }
            _ if own.get(key) == old.get(key) => match new.get(key) {
                Some(value) => _ = own.insert(key.clone(), value.clone()),
                None => _ = own.remove(key),
            },
            _ => {}
        }
    }
}

fn move_variables(own: Option<&Value>, old: Option<&Value>, new: Option<&Value>) -> Value {
    let list = |value: Option<&Value>| -> Vec<String> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let variable = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    let (mine, before, mut moved) = (list(own), list(old), list(new));
    for text in mine.into_iter().filter(|text| !before.contains(text)) {
        let name = variable(&text);
        match moved.iter_mut().find(|known| variable(known) == name) {
            Some(known) => *known = text,
            None => moved.push(text),
        }
    }
    moved.into()
}
