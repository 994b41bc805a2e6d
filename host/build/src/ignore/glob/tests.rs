use super::{BadPattern, Glob, has_wildcards};

/// The patterns, paths and answers that Go documents for `filepath.Match`, and its odd corners.
#[test]
fn sources_match_as_in_go() {
    #[rustfmt::skip]
    let rows: &[(&str, &str, bool)] = &[
        ("abc", "abc", true), ("abc", "abd", false), ("abc", "ab", false), ("", "", true),
        ("", "a", false), ("*", "", true), ("*", "abc", true), ("*c", "abc", true),
        ("a*", "a", true), ("a*", "abc", true), ("a*", "ab/c", false), ("a*/b", "abc/b", true),
        ("a*/b", "a/c/b", false), ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false), ("a*b?c*x", "abxbbxdbxebxczzx", true),
        ("a*b?c*x", "abxbbxdbxebxczzy", false), ("ab[c]", "abc", true), ("ab[b-d]", "abc", true),
        ("ab[e-g]", "abc", false), ("ab[^c]", "abc", false), ("ab[^b-d]", "abc", false),
        ("ab[^e-g]", "abc", true), ("ab[!c]", "ab!", true), ("ab[!c]", "abd", false),
        ("a\\*b", "a*b", true), ("a\\*b", "axb", false), ("a?b", "a☺b", true),
        ("a[^a]b", "a☺b", true), ("a???b", "a☺b", false), ("[a-ζ]*", "α", true),
        ("*[a-ζ]", "A", false), ("a?b", "a/b", false), ("a*b", "a/b", false),
        ("[\\]a]", "]", true), ("[\\-]", "-", true), ("[x\\-]", "-", true), ("[x\\-]", "z", false),
        ("[\\-x]", "a", false), ("*x", "xxx", true), ("**", "a/b", false), ("**/b", "a/b", true),
        ("**/b", "b", false), ("arr[[]0].txt", "arr[0].txt", true), ("a[.-0]b", "a/b", true),
        ("a[^x]b", "a/b", true), ("[*]", "*", true), ("[*]", "x", false), ("[?]", "?", true),
        ("[z-a]", "m", false), ("a\nb*", "a\nbc", true), ("é?", "éé", true),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .filter(|(pattern, path, expected)| {
            Glob::source(pattern.as_bytes()).unwrap().matches(path.as_bytes()) != *expected
        })
        .collect();
    assert_eq!(wrong, Vec::<&(&str, &str, bool)>::new());
}

#[test]
fn what_is_no_pattern_is_refused_with_the_reason() {
    let rows = [
        ("[]a]", BadPattern::OpenClass),
        ("[-]", BadPattern::BadRange),
        ("[x-]", BadPattern::OpenClass),
        ("[-x]", BadPattern::BadRange),
        ("[a-b-c]", BadPattern::BadRange),
        ("[", BadPattern::OpenClass),
        ("[^", BadPattern::OpenClass),
        ("[^]", BadPattern::OpenClass),
        ("[^bc", BadPattern::OpenClass),
        ("a[", BadPattern::OpenClass),
        ("a/b[c", BadPattern::OpenClass),
        ("*[\\", BadPattern::OpenClass),
        ("\\", BadPattern::TrailingEscape),
        ("a\\\\\\", BadPattern::TrailingEscape),
    ];
    for (pattern, expected) in rows {
        assert_eq!(Glob::source(pattern.as_bytes()).unwrap_err(), expected, "{pattern}");
        assert_eq!(Glob::rule(pattern.as_bytes()).unwrap_err(), expected, "{pattern}");
    }
    assert_eq!(Glob::rule(b"[z-a]").unwrap_err(), BadPattern::ReversedRange);
}

#[test]
fn bytes_that_are_no_text_are_characters_too() {
    let glob = Glob::rule(b"a?\xff*").unwrap();
    assert!(glob.matches(b"a\xfe\xffx"));
    assert!(!glob.matches(b"a\xfe\xfex"));
    assert!(Glob::rule(b"caf\xe9").unwrap().matches(b"caf\xe9"));
    assert!(!Glob::rule(b"caf\xe9").unwrap().matches("café".as_bytes()));
}

#[test]
fn a_long_pattern_is_matched_to_its_end() {
    let long = "abcdefghij".repeat(20);
    let glob = Glob::rule(format!("**/{long}*x").as_bytes()).unwrap();
    assert!(glob.matches(format!("dir/{long}...x").as_bytes()));
    assert!(!glob.matches(format!("dir/{long}...y").as_bytes()));
    assert!(!glob.matches(long.get(1..).unwrap().as_bytes()));
}

#[test]
fn many_stars_are_not_slow() {
    let glob = Glob::source("a*".repeat(60).as_bytes()).unwrap();
    assert!(!glob.matches(format!("{}b/", "a".repeat(5_000)).as_bytes()));
}

#[test]
fn states_tell_what_may_come_below() {
    let below = |pattern: &str, dir: &str| {
        let glob = Glob::rule(pattern.as_bytes()).unwrap();
        !glob.after(&glob.start(), format!("{dir}/").as_bytes()).is_dead()
    };
    assert!(below("a/b/c", "a"));
    assert!(below("a/b/c", "a/b"));
    assert!(!below("a/b/c", "a/b/c"));
    assert!(!below("a/b/c", "b"));
    assert!(below("*/b", "x"));
    assert!(!below("*.md", "x"));
    assert!(below("**/*.md", "x/y/z"));
    assert!(below("a**", "ab/c"));
}

#[test]
fn wildcards_are_seen_unless_they_are_escaped() {
    for (path, expected) in [
        ("a/b", false),
        ("a*", true),
        ("a?", true),
        ("[a]", true),
        ("\\*\\[", false),
        ("\\", false),
    ] {
        assert_eq!(has_wildcards(path.as_bytes()), expected, "{path}");
    }
}
