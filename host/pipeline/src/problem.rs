//! Every problem that a pipeline file can have, one constructor each.
//!
//! A constructor takes what the call site holds and makes message, place and help in one go, so that
//! the wording is in one room. Each has a golden file of its own name in `tests/ui`, and a test
//! holds that.

mod file;
mod identity;
mod input;
mod on;
mod step;
mod table;
mod template;

pub(crate) use file::*;
pub(crate) use identity::*;
pub(crate) use input::*;
pub(crate) use on::*;
pub(crate) use step::*;
pub(crate) use table::*;
pub(crate) use template::*;

use report::closest;

/// "did you mean", if a name is near, else the names there are.
fn suggest<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    /// So many names still read as a list.
    const LISTED: usize = 14;
    if let Some(near) = nearest(found, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let names: Vec<&str> = known.into_iter().collect();
    match names.len() {
        0 => None,
        1..=LISTED => Some(format!("there is {}", report::and_list(&names))),
        more => Some(format!(
            "there are {more}: {}, …",
            names
                .iter()
                .take(LISTED)
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}

/// "did you mean", if a word is near, else the words to choose from.
fn choose(found: &str, known: &[&str]) -> Option<String> {
    if let Some(near) = nearest(found, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    (!known.is_empty()).then(|| format!("write {}", report::or_list(known)))
}

/// The name that `found` abbreviates, or else the nearest.
fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    /// Fewer letters abbreviate too much.
    const ABBREVIATION: usize = 3;
    let lower = found.to_ascii_lowercase();
    let is_short_for = |name: &&str| lower.len() >= ABBREVIATION && name.starts_with(&*lower);
    known.clone().into_iter().find(is_short_for).or_else(|| closest(found, known))
}
