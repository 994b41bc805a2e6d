//! What makes two images different: their layers, their labels, their variables.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// How two images differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// Layers that only the new one has.
    pub added: Vec<Layer>,
    /// Layers that only the old one had.
    pub removed: Vec<Layer>,
    /// Labels, by name.
    pub labels: BTreeMap<String, Edit>,
    /// Variables, by name.
    pub env: BTreeMap<String, Edit>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Layer {
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    #[serde(default)]
    pub size: u64,
}

/// A value that is another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// What it was; none where there was none.
    pub old: Option<String>,
    /// What it is; none where there is none.
    pub new: Option<String>,
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Default, Deserialize)]
struct File {
    config: Option<Settings>,
}

#[derive(Default, Deserialize)]
struct Settings {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
    #[serde(rename = "Env")]
    env: Option<Vec<String>>,
}

impl Delta {
    /// Of two images, each a manifest and a configuration.
    ///
    /// # Errors
    /// One of them is not the JSON that was expected.
    pub fn between(old: [&[u8]; 2], new: [&[u8]; 2]) -> Result<Self, serde_json::Error> {
        let ([old_manifest, old_file], [new_manifest, new_file]) = (old, new);
        let layers = |bytes: &[u8]| serde_json::from_slice::<Manifest>(bytes).map(|it| it.layers);
        let settings = |bytes: &[u8]| {
            serde_json::from_slice::<File>(bytes).map(|it| it.config.unwrap_or_default())
        };
        let (old_layers, new_layers) = (layers(old_manifest)?, layers(new_manifest)?);
        let (was, is) = (settings(old_file)?, settings(new_file)?);
        Ok(Self {
            added: only_in(&new_layers, &old_layers),
            removed: only_in(&old_layers, &new_layers),
            labels: edits(&was.labels.unwrap_or_default(), &is.labels.unwrap_or_default()),
            env: edits(&variables(was.env), &variables(is.env)),
        })
    }
}

fn only_in(these: &[Layer], those: &[Layer]) -> Vec<Layer> {
    let known: BTreeSet<&str> = those.iter().map(|layer| layer.digest.as_str()).collect();
    these.iter().filter(|layer| !known.contains(layer.digest.as_str())).cloned().collect()
}

fn variables(list: Option<Vec<String>>) -> BTreeMap<String, String> {
    let pairs = list.unwrap_or_default().into_iter();
    let split = |pair: String| match pair.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (pair, String::new()),
    };
    pairs.map(split).collect()
}

fn edits(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> BTreeMap<String, Edit> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let edit = |name: &String| Edit { old: old.get(name).cloned(), new: new.get(name).cloned() };
    let edits = names.into_iter().map(|name| (name.clone(), edit(name)));
    edits.filter(|(_, edit)| edit.old != edit.new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_labels_and_variables_are_told_apart() {
        let edit = |old: Option<&str>, new: Option<&str>| Edit {
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        };
        let delta = Delta::between(
            [
                br#"{"layers": [{"digest": "a", "size": 1}, {"digest": "b", "size": 2}]}"#,
                br#"{"config": {"Labels": {"v": "1", "gone": "x"}, "Env": ["A=1", "B=x=y"]}}"#,
            ],
            [
                br#"{"layers": [{"digest": "a", "size": 1}, {"digest": "c", "size": 3}]}"#,
                br#"{"config": {"Labels": {"v": "2"}, "Env": ["B=x=y", "C"]}}"#,
            ],
        )
        .unwrap();
        let expect = Delta {
            added: vec![Layer { digest: "c".to_owned(), size: 3 }],
            removed: vec![Layer { digest: "b".to_owned(), size: 2 }],
            labels: BTreeMap::from([
                ("gone".to_owned(), edit(Some("x"), None)),
                ("v".to_owned(), edit(Some("1"), Some("2"))),
            ]),
            env: BTreeMap::from([
                ("A".to_owned(), edit(Some("1"), None)),
                ("C".to_owned(), edit(None, Some(""))),
            ]),
        };
        assert_eq!(delta, expect);
    }

    #[test]
    fn an_image_without_settings_has_none() {
        let bare: [&[u8]; 2] = [b"{}", br#"{"config": null}"#];
        assert_eq!(Delta::between(bare, bare).unwrap(), Delta::default());
        assert!(Delta::between(bare, [b"{}", b"<html>"]).is_err());
    }
}
