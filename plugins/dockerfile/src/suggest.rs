//! "Did you mean": the nearest real name.

/// 64: longer names are not misspelt but generated, and comparing them takes its time.
const LONGEST: usize = 64;

/// The name in `known` nearest to `found`: at most two letters apart, a third of a long name.
pub(crate) fn closest<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if found.len() > LONGEST {
        return None;
    }
    let found: Vec<char> = found.to_lowercase().chars().collect();
    let limit = (found.len() / 3).max(2).min(found.len().saturating_sub(1));
    known
        .into_iter()
        .filter(|name| name.len() <= LONGEST)
        .map(|name| (distance(&found, name), name))
        .filter(|&(distance, name)| distance <= limit && distance < name.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// How many letters to insert, delete, replace or swap with their neighbour, row by row.
fn distance(a: &[char], b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        let swapped = |j: usize| {
            let (i, j) = (i.checked_sub(1)?, j.checked_sub(1)?);
            let is_swap = a.get(i) == b.get(j + 1) && b.get(j) == a.get(i + 1);
            is_swap.then(|| before_last.get(j).map(|cost| cost + 1)).flatten()
        };
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let best = (at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let best = best.min(at(&last, j) + usize::from(x != y));
            row.push(swapped(j).map_or(best, |cost| cost.min(best)));
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["RUN", "COPY", "WORKDIR", "ENTRYPOINT"];
        assert_eq!(closest("RNU", known), Some("RUN"));
        assert_eq!(closest("copi", known), Some("COPY"));
        assert_eq!(closest("WORKDRI", known), Some("WORKDIR"));
        assert_eq!(closest("ENTRYPIONT", known), Some("ENTRYPOINT"));
        assert_eq!(closest("MOUNT", known), None);
        assert_eq!(closest("R", known), None);
        assert_eq!(closest("", known), None);
    }
}
