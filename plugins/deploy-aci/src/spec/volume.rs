//! Volumes as Azure writes them.

use std::collections::BTreeMap;

use arm::Encoding;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Writer, object};
use crate::inputs::{Text, Volume};

impl Writer<'_> {
    pub(super) fn volumes(&mut self, volumes: &BTreeMap<String, Volume>) -> Vec<Value> {
        let written = volumes.iter().enumerate().map(|(index, (name, volume))| {
            let at = format!("/properties/volumes/{index}");
            let share = volume.azure_file.as_ref().map(|file| {
                let key = format!("{at}/azureFile/storageAccountKey");
                object([
                    ("shareName", Some(file.share.as_str().into())),
                    ("storageAccountName", Some(file.account.as_str().into())),
                    ("storageAccountKey", Some(self.secret(&file.key.secret, key, Encoding::Json))),
                    ("readOnly", file.read_only.then_some(Value::Bool(true))),
                ])
            });
            let git = volume.git.as_ref().map(|git| {
                object([
                    ("directory", git.directory.as_deref().map(Value::from)),
                    ("repository", Some(git.repository.as_str().into())),
                    ("revision", git.revision.as_deref().map(Value::from)),
                ])
            });
            let files = volume.secret.as_ref().map(|files| self.files(files, &at));
            object([
                ("name", Some(name.as_str().into())),
                ("emptyDir", volume.empty_dir.then(|| json!({}))),
                ("secret", files),
                ("azureFile", share),
                ("gitRepo", git),
            ])
        });
        written.collect()
    }

    /// Files with their content in base64.
    fn files(&mut self, files: &BTreeMap<String, Text>, at: &str) -> Value {
        let written = files.iter().map(|(name, text)| {
            let key = name.replace('~', "~0").replace('/', "~1");
            let content = match text {
                Text::Plain(text) => STANDARD.encode(text).into(),
                Text::Secret(secret) => {
                    self.secret(&secret.secret, format!("{at}/secret/{key}"), Encoding::Base64)
                }
            };
            (name.clone(), content)
        });
        Value::Object(written.collect::<Map<_, _>>())
    }
}
