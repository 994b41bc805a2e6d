mod properties;
mod table;

use std::path::Path;

use super::{BadPattern, Ignore, IgnoreError, Verdict, lines};

fn ignore(text: &str) -> Ignore {
    Ignore::parse(".dockerignore", text).unwrap()
}

fn verdict(text: &str, path: &str) -> Verdict {
    let (path, is_dir) = path.strip_suffix('/').map_or((path, false), |path| (path, true));
    ignore(text).verdict(Path::new(path), is_dir)
}

#[test]
fn lines_are_read_as_docker_reads_them() {
    let text = "\u{feff}# not a rule\r\n/a/b/\r\n\r\n  # a rule\n ! /x/../y \n./c//d\n../e\n/\n.\nf /.\n\u{a0}g\u{3000}\n\\#h\nlast";
    let patterns: Vec<(usize, String)> = lines::read("x", text.as_bytes())
        .unwrap()
        .into_iter()
        .map(|line| (line.number, String::from_utf8(line.pattern).unwrap()))
        .collect();
    let expected = [
        (2, "a/b"),
        (4, "# a rule"),
        (5, "!y"),
        (6, "c/d"),
        (7, "../e"),
        (8, "/"),
        (9, "."),
        (10, "f "),
        (11, "g"),
        (12, "\\#h"),
        (13, "last"),
    ];
    assert_eq!(patterns, expected.map(|(line, pattern)| (line, pattern.to_owned())));
}

#[test]
fn only_the_first_line_may_have_a_byte_order_mark() {
    assert_eq!(verdict("\u{feff}a", "a"), Verdict::Drop);
    assert_eq!(verdict("b\n\u{feff}a", "a"), Verdict::Keep);
}

#[test]
fn a_bad_line_is_named() {
    let error = |text: &str| Ignore::parse("ctx/.dockerignore", text).unwrap_err();
    let bad = |line, pattern: &str, source| IgnoreError::Pattern {
        label: "ctx/.dockerignore".to_owned(),
        line,
        pattern: pattern.to_owned(),
        source,
    };
    assert_eq!(error("ok\n\n a[ \n["), bad(3, "a[", BadPattern::OpenClass));
    assert_eq!(error("!"), bad(1, "!", BadPattern::LoneException));
    assert_eq!(error("! /"), bad(1, "! /", BadPattern::LoneException));
    assert_eq!(error("a\\"), bad(1, "a\\", BadPattern::TrailingEscape));
    assert_eq!(
        bad(3, "a[", BadPattern::OpenClass).to_string(),
        "ctx/.dockerignore:3: `a[` is not a pattern"
    );
    let long = format!("a\n{}", "x".repeat(70_000));
    assert_eq!(
        error(&long).to_string(),
        "ctx/.dockerignore:2: the line has 70000 bytes, at most 65535 can be read"
    );
}

#[test]
fn a_dropped_directory_is_entered_only_if_something_may_be_kept() {
    #[rustfmt::skip]
    let rows = [
        ("node_modules", "node_modules/", Verdict::DropTree),
        ("**/node_modules", "a/node_modules/", Verdict::DropTree),
        ("docs\n!docs/README.md", "docs/", Verdict::Drop),
        ("docs\n!docs/README.md", "docs/img/", Verdict::DropTree),
        ("docs\n!other/README.md", "docs/", Verdict::DropTree),
        // The exception comes too early to count.
        ("!docs/README.md\ndocs", "docs/", Verdict::DropTree),
        ("*\n!**/*.md", "docs/", Verdict::Drop),
        ("*\n!*.md", "docs/", Verdict::DropTree),
        ("*\n!src", "src/", Verdict::Keep),
        ("*\n!src/*/x", "src/", Verdict::Drop),
        ("*\n!src/*/x", "src/a/", Verdict::Drop),
        ("*\n!src/*/x", "src/a/b/", Verdict::DropTree),
        ("a/*\n!a/b", "a/", Verdict::Keep),
        ("a/*\n!a/b\na/b/c", "a/b/c/", Verdict::DropTree),
    ];
    let found = rows.map(|(text, path, _)| (text, path, verdict(text, path)));
    assert_eq!(found, rows);
}

#[test]
fn the_reason_is_the_last_rule_that_matched() {
    let ignore = ignore("# all\n*\n!src\nsrc/*.tmp");
    let reason = |path: &str| {
        let rule = ignore.judge(Path::new(path), false).rule.and_then(|index| ignore.rule(index));
        rule.map(|rule| (rule.line(), rule.text().to_owned(), rule.is_exception()))
    };
    assert_eq!(reason("a"), Some((2, "*".to_owned(), false)));
    assert_eq!(reason("src/a"), Some((3, "!src".to_owned(), true)));
    assert_eq!(reason("src/a.tmp"), Some((4, "src/*.tmp".to_owned(), false)));
    assert_eq!(Ignore::parse("x", "").unwrap().judge(Path::new("a"), false).rule, None);
}

#[test]
fn patterns_of_exclude_are_not_lines() {
    let exclude = Ignore::from_patterns("--exclude", ["/a", "#b", " c ", ""]).unwrap();
    let keeps = |path: &str| exclude.verdict(Path::new(path), false) == Verdict::Keep;
    assert_eq!([keeps("a"), keeps("#b"), keeps("c"), keeps("d")], [true, false, false, true]);
}

#[test]
fn names_that_are_not_text_are_matched() {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9/x"));
    for text in [b"caf\xe9".as_slice(), b"caf?", b"**/x", b"*/x"] {
        let ignore = Ignore::parse("x", text).unwrap();
        assert_eq!(ignore.verdict(path, false), Verdict::Drop, "{text:?}");
    }
}

#[test]
fn the_root_is_always_kept() {
    for text in ["*", "**", ".", "/"] {
        assert_eq!(verdict(text, ""), Verdict::Keep);
    }
}
