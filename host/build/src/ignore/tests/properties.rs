//! What holds for all rules and paths, the model being patternmatcher written plainly.

use std::ffi::OsStr;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use regex::Regex;

use super::super::{Ignore, Verdict, lines};

/// One rule as patternmatcher has it.
struct Model {
    is_exception: bool,
    matcher: Box<dyn Fn(&str) -> bool>,
}

/// Text that is compared, or a regular expression: the kinds that patternmatcher tells apart.
fn matcher(pattern: &str) -> Box<dyn Fn(&str) -> bool> {
    let plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
    let pattern = pattern.to_owned();
    if plain(&pattern) {
        return Box::new(move |path| path == pattern);
    }
    if let Some(suffix) = pattern.strip_prefix("**").filter(|rest| plain(rest)) {
        let suffix = suffix.to_owned();
        return Box::new(move |path| {
            path.ends_with(&suffix) || suffix.strip_prefix('/') == Some(path)
        });
    }
    if let Some(prefix) = pattern.strip_suffix("**").filter(|rest| plain(rest)) {
        let prefix = prefix.to_owned();
        return Box::new(move |path| path.starts_with(&prefix));
    }
    let mut expression = String::from("^");
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '*' if rest.next_if_eq(&'*').is_some() => {
                rest.next_if_eq(&'/');
                expression += if rest.peek().is_none() { ".*" } else { "(.*/)?" };
            }
            '*' => expression += "[^/]*",
            '?' => expression += "[^/]",
            '\\' => expression += &regex::escape(&rest.next().unwrap_or('\\').to_string()),
            '[' | ']' | '-' | '^' => expression.push(character),
            _ => expression += &regex::escape(&character.to_string()),
        }
    }
    let expression = Regex::new(&(expression + "$")).unwrap();
    Box::new(move |path| expression.is_match(path))
}

fn models(text: &str) -> Vec<Model> {
    let model = |pattern: Vec<u8>| {
        let pattern = String::from_utf8(lines::clean(lines::trim(&pattern))).unwrap();
        let exception = pattern.strip_prefix('!');
        let matcher = matcher(exception.unwrap_or(&pattern));
        Model { is_exception: exception.is_some(), matcher }
    };
    let lines = lines::read("model", text.as_bytes()).unwrap();
    lines.into_iter().map(|line| model(line.pattern)).collect()
}

/// Whether `path` is dropped, asking every directory above it in turn.
fn model_drops(models: &[Model], path: &str) -> bool {
    let mut above = vec![false; models.len()];
    let mut dropped = false;
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        let path = path.get(..end).unwrap();
        dropped = false;
        for (model, above) in models.iter().zip(&mut above) {
            if !*above && model.is_exception == dropped {
                *above = (model.matcher)(path);
            }
            if *above {
                dropped = !model.is_exception;
            }
        }
    }
    dropped
}

fn rule() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[ab.]{1,2}", 3 => Just("*".to_owned()), 3 => Just("**".to_owned()),
        3 => Just("/".to_owned()), 1 => Just("?".to_owned()), 1 => Just("[ab]".to_owned()),
        1 => Just("[^a]".to_owned()), 1 => Just("\\*".to_owned()), 1 => Just("é".to_owned()),
    ];
    ("!?/?", vec(part, 1..6)).prop_map(|(start, parts)| start + &parts.concat())
}

fn rules() -> impl Strategy<Value = String> {
    vec(rule(), 0..5).prop_map(|rules| rules.join("\n"))
}

fn path() -> impl Strategy<Value = String> {
    vec("[ab.é*]{1,3}", 1..5)
        .prop_map(|names| names.join("/"))
        .prop_filter("names", |path| path.split('/').all(|name| name != "." && name != ".."))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn rules_answer_as_patternmatcher_does(text in rules(), path in path()) {
        // Lines such as `!/` are errors in both.
        let Ok(ignore) = Ignore::parse("x", &text) else { return Ok(()) };
        let drops = ignore.verdict(Path::new(&path), false) != Verdict::Keep;
        prop_assert_eq!(drops, model_drops(&models(&text), &path), "{:?} {:?}", text, path);
    }

    #[test]
    fn nothing_is_kept_below_a_tree_that_is_dropped(text in rules(), path in path(), below in path()) {
        let Ok(ignore) = Ignore::parse("x", &text) else { return Ok(()) };
        if ignore.verdict(Path::new(&path), true) == Verdict::DropTree {
            let below = format!("{path}/{below}");
            prop_assert_ne!(ignore.verdict(Path::new(&below), false), Verdict::Keep);
            prop_assert_ne!(ignore.verdict(Path::new(&below), true), Verdict::Keep);
        }
    }

    #[test]
    fn a_walk_says_what_a_single_question_says(text in rules(), path in path()) {
        let Ok(ignore) = Ignore::parse("x", &text) else { return Ok(()) };
        let mut place = ignore.root();
        let names: Vec<&str> = path.split('/').collect();
        for (index, name) in names.iter().enumerate() {
            let so_far = names.iter().take(index + 1).copied().collect::<Vec<_>>().join("/");
            let judgement = ignore.child(&place, OsStr::new(name), true);
            prop_assert_eq!(judgement.verdict, ignore.verdict(Path::new(&so_far), true));
            place = judgement.place.unwrap();
        }
    }

    #[test]
    fn no_text_is_too_odd_to_read(text in any::<Vec<u8>>(), path in "[ -~]{0,20}") {
        if let Ok(ignore) = Ignore::parse("x", &text) {
            let _ = ignore.verdict(Path::new(&path), false);
        }
    }

    #[test]
    fn cleaning_is_done_once(path in "[ab./]{0,12}") {
        let once = lines::clean(path.as_bytes());
        prop_assert_eq!(lines::clean(&once), once);
    }
}
