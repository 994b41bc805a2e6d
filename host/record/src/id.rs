//! Ids of runs: made to be unique everywhere, shown as short as they can be told apart here.
//!
//! Ids become tags of images (`app:{{ run.id }}`), and many a machine forgets its store from job to
//! job: an id that were unique in its store alone would move the tag of another job's image. So it is
//! random and has eight characters, and people see and type as few of them as it takes, as with git.

use rand::Rng as _;

/// Digits and letters that nobody takes for others; letters come behind the ten digits.
const CHARACTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 22 × 32⁷: of 10,000 runs two have the same id in one case of 15,000.
const LENGTH: usize = 8;

/// Fewer characters are hard to tell from a number or a word.
pub(crate) const SHORTEST: usize = 3;

/// A new id, for a run that is not in a store.
///
/// The first character is a letter, so that no file format takes the id for a number.
pub fn new_id() -> String {
    let mut random = rand::rng();
    let mut draw = |from: usize| {
        let at = random.random_range(from..CHARACTERS.len());
        CHARACTERS.get(at).copied().map_or('a', char::from)
    };
    std::iter::once(draw(10)).chain((1..LENGTH).map(|_| draw(0))).collect()
}

/// How much of `id` tells it from `neighbours`, those before and behind it in order.
pub(crate) fn short(id: &str, neighbours: impl IntoIterator<Item = String>) -> &str {
    let common = |other: &String| id.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let longest = neighbours.into_iter().map(|other| common(&other)).max();
    let length = longest.map_or(0, |common| common + 1).max(SHORTEST);
    id.get(..length).unwrap_or(id)
}

/// What a person has typed as an id; letters are taken in either case.
pub(crate) fn typed(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_letters_and_digits_and_differ() {
        let ids: std::collections::BTreeSet<String> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(id.len(), LENGTH);
            assert!(id.starts_with(|first: char| first.is_ascii_lowercase()), "{id}");
            assert!(id.bytes().all(|byte| CHARACTERS.contains(&byte)), "{id}");
        }
    }

    #[test]
    fn an_id_is_as_short_as_its_neighbours_let_it() {
        let near = |all: &[&str]| all.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(short("da8k2m3n", near(&[])), "da8");
        assert_eq!(short("da8k2m3n", near(&["c0000000", "da9k2m3n"])), "da8");
        assert_eq!(short("da8k2m3n", near(&["da8h2m3n", "e0000000"])), "da8k");
        assert_eq!(short("da8k2m3n", near(&["da8k2m3m"])), "da8k2m3n");
    }
}
