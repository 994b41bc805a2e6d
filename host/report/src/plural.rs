//! Counting and listing in sentences.

/// `1 step`, `2 steps`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// `` `a`, `b` or `c` ``: names in backticks.
pub fn or_list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    list(names, "or")
}

/// `` `a`, `b` and `c` ``: names in backticks.
pub fn and_list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    list(names, "and")
}

fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>, word: &str) -> String {
    let quoted: Vec<String> =
        names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_counts_read_as_sentences() {
        assert_eq!(plural(1, "step"), "1 step");
        assert_eq!(plural(0, "step"), "0 steps");
        assert_eq!(or_list(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(and_list(["a"]), "`a`");
        assert_eq!(and_list::<&str>([]), "nothing");
    }
}
