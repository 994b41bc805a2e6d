//! The search for secrets, in every form in which one could show up.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use regex::bytes::Regex;

/// Shorter values are found by chance, in base64 at least.
const SHORTEST: usize = 6;

/// Secrets that may be nowhere.
#[derive(Debug)]
pub struct Sweep {
    needles: Vec<Needle>,
    /// All of them at once.
    pattern: Regex,
}

#[derive(Debug)]
struct Needle {
    /// What the secret is called in messages, which must not hold it either.
    name: String,
    form: &'static str,
    bytes: Vec<u8>,
}

impl Sweep {
    /// Looks for `secrets`, each a name and a value: in plain, in base64 (either alphabet, wherever in
    /// a longer text it begins), URL- and JSON-escaped, and in hex.
    ///
    /// # Panics
    /// There are none, or one is so short that it would be found by chance.
    pub fn of(secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut needles: Vec<Needle> = Vec::new();
        for (name, value) in secrets {
            assert!(value.len() >= SHORTEST, "{name} is too short to be looked for");
            for (form, text) in forms(&value) {
                let bytes = text.into_bytes();
                if !needles.iter().any(|known| known.bytes == bytes) {
                    needles.push(Needle { name: name.clone(), form, bytes });
                }
            }
        }
        assert!(!needles.is_empty(), "there is no secret to look for");
        let escaped = |needle: &Needle| -> String {
            needle.bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
        };
        let all: Vec<String> = needles.iter().map(escaped).collect();
        let pattern = Regex::new(&format!("(?-u){}", all.join("|"))).expect("escaped bytes are");
        Self { needles, pattern }
    }

    /// What is found in `bytes`: `NAME in FORM`, never the value.
    pub fn find_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for hit in self.pattern.find_iter(bytes) {
            let needle = self.needles.iter().find(|needle| needle.bytes == hit.as_bytes());
            let needle = needle.expect("the pattern is made of the needles");
            let said = format!("{} in {}", needle.name, needle.form);
            if !found.contains(&said) {
                found.push(said);
            }
        }
        found
    }

    /// What is found in files below `folder` that have changed since `since`, and in their names; what
    /// lies below `except` is left out.
    ///
    /// # Panics
    /// A file cannot be read for another reason than that it is gone.
    pub fn find_below(
        &self,
        folder: &Path,
        except: &[PathBuf],
        since: Option<SystemTime>,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for path in gone_or(&folder, list(&folder)).unwrap_or_default() {
                if except.contains(&path) {
                    continue;
                }
                let Some(facts) = gone_or(&path, std::fs::symlink_metadata(&path)) else {
                    continue;
                };
                let name = path.file_name().unwrap_or_default().as_encoded_bytes();
                let mut said = self.find_in(name);
                if facts.is_dir() {
                    folders.push(path.clone());
                } else if facts.is_file()
                    && since.is_none_or(|since| facts.modified().is_ok_and(|at| at >= since))
                {
                    let bytes = gone_or(&path, std::fs::read(&path)).unwrap_or_default();
                    said.extend(self.find_in(&bytes));
                }
                found.extend(said.into_iter().map(|said| format!("{}: {said}", path.display())));
            }
        }
        found
    }
}

fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

fn gone_or<T>(path: &Path, read: std::io::Result<T>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("cannot read {}: {error}", path.display()),
    }
}

/// All forms of `value`, with their names.
fn forms(value: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::to_string(value).expect("text is JSON");
    let json = json.get(1..json.len() - 1).expect("it stands in quotes").to_owned();
    let percent = percent_encoded(value, "%20");
    let mut all = vec![
        ("plain", value.to_owned()),
        ("JSON", json.replace('/', "\\/")),
        ("JSON", json),
        ("a URL", percent.to_lowercase()),
        ("a URL", percent),
        ("a form", percent_encoded(value, "+")),
        ("hex", hex::encode(value)),
        ("hex", hex::encode_upper(value)),
    ];
    // Where the value does not begin at a multiple of three, its first characters are shared with what
    // stands before it, and its last ones with what follows: those are left out.
    for (before, skipped) in [(0, 0), (1, 2), (2, 3)] {
        let shifted = [&vec![0; before][..], value.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            let own = text.get(skipped..shifted.len() / 3 * 4).expect("base64 is ASCII");
            all.push(("base64", own.to_owned()));
        }
    }
    all
}

/// RFC 3986: everything but the unreserved characters as `%XX`, and spaces as `space`.
fn percent_encoded(value: &str, space: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b' ' => text.push_str(space),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    /// With characters that every form writes differently.
    const VALUE: &str = "p@ss \"word\"/1?>~\u{fc}";

    fn sweep() -> Sweep {
        Sweep::of([("it".to_owned(), VALUE.to_owned())])
    }

    /// Every form, between other things.
    fn planted() -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("plain", VALUE.to_owned()),
            ("JSON", serde_json::json!({ "value": VALUE }).to_string()),
            ("JSON", serde_json::json!([VALUE]).to_string().replace('/', "\\/")),
            ("a URL", "p%40ss%20%22word%22%2F1%3F%3E~%C3%BC".to_owned()),
            ("a URL", "p%40ss%20%22word%22%2f1%3f%3e~%c3%bc".to_owned()),
            ("a form", "p%40ss+%22word%22%2F1%3F%3E~%C3%BC".to_owned()),
            ("hex", hex::encode(VALUE)),
            ("hex", hex::encode_upper(VALUE)),
        ];
        for user in ["", "m", "me", "you"] {
            for engine in [&STANDARD, &URL_SAFE] {
                all.push(("base64", engine.encode(format!("{user}{VALUE}"))));
                all.push(("base64", engine.encode(format!("{user}{VALUE}, and more"))));
            }
        }
        all
    }

    #[test]
    fn every_form_is_found_wherever_it_stands() {
        for (form, text) in planted() {
            let text = format!("before{text}behind");
            assert_eq!(sweep().find_in(text.as_bytes()), [format!("it in {form}")], "{text}");
            let binary = [&[0xff, 0][..], text.as_bytes(), &[0xfe]].concat();
            assert_eq!(sweep().find_in(&binary), [format!("it in {form}")], "{text}");
        }
    }

    #[test]
    fn what_is_not_the_secret_is_not_found() {
        for text in ["", "p@ss word/1", "cEBzcyA", "70407373", "p%40ss"] {
            assert_eq!(sweep().find_in(text.as_bytes()), [""; 0], "{text}");
        }
    }

    #[test]
    fn files_are_searched_with_their_names_but_for_those_that_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let value = "cargo-of-gold";
        let sweep = Sweep::of([("gold".to_owned(), value.to_owned())]);
        std::fs::create_dir_all(path("a/b")).unwrap();
        std::fs::create_dir(path("left-out")).unwrap();
        std::fs::write(path("a/b/file"), format!("x{value}")).unwrap();
        std::fs::write(path("left-out/file"), value).unwrap();
        std::fs::write(path(&format!("a/{value}")), "").unwrap();
        std::os::unix::fs::symlink("nowhere", path("a/link")).unwrap();
        let mut found = sweep.find_below(folder.path(), &[path("left-out")], None);
        found.sort();
        let at = |name: &str| format!("{}: gold in plain", path(name).display());
        assert_eq!(found, [at("a/b/file"), at("a/cargo-of-gold")]);
        let later = SystemTime::now() + std::time::Duration::from_secs(3600);
        let found = sweep.find_below(folder.path(), &[path("left-out")], Some(later));
        assert_eq!(found, [at("a/cargo-of-gold")]);
    }

    #[test]
    fn what_would_be_found_by_chance_is_refused() {
        let short = || Sweep::of([("it".to_owned(), "short".to_owned())]);
        assert!(std::panic::catch_unwind(short).is_err());
        let none = || Sweep::of([]);
        assert!(std::panic::catch_unwind(none).is_err());
    }
}
