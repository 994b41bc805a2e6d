use proptest::prelude::*;

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().copied().collect()
}

/// The expanded text, or "error".
fn text(input: &str, pairs: &[(&str, &str)]) -> String {
    Lexer::new('\\')
        .expand(input, &variables(pairs))
        .map_or_else(|_| "error".to_owned(), |result| result.text)
}

fn words(input: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    match Lexer::new('\\').expand(input, &variables(pairs)) {
        Ok(result) => result.words.into_iter().map(|word| word.text).collect(),
        Err(_) => vec!["error".to_owned()],
    }
}

#[track_caller]
fn table(pairs: &[(&str, &str)], rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .map(|(input, wanted)| (input, wanted, text(input, pairs)))
        .filter(|(_, wanted, found)| *wanted != found)
        .map(|(input, wanted, found)| format!("{input}: wanted {wanted:?}, found {found:?}"))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn quotes_and_escapes() {
    let rows = [
        ("plain", "plain"),
        ("pl'ai'n", "plain"),
        ("pl'ain", "error"),
        (r"pl\'ain", "pl'ain"),
        (r"pl\\'ain", "error"),
        (r"a\tb", "atb"),
        (r#""a\tb""#, r"a\tb"),
        (r#""a\\tb""#, r"a\tb"),
        (r"'a\tb'", r"a\tb"),
        (r"end\", "end"),
        (r"end\\", r"end\"),
        ("\"open", "error"),
        ("\"open\\\"", "error"),
        ("\"it's\"", "it's"),
        ("'open", "error"),
        (r"'open\'", r"open\"),
        (r"'a\\b'", r"a\\b"),
        ("\"''\"", "''"),
        ("'\"x\"'", "\"x\""),
        ("é'è'ê", "éèê"),
        (r"é\'ê", "é'ê"),
        ("한국\"어\"", "한국어"),
    ];
    table(&[], &rows);
}

#[test]
fn names() {
    let set = [("DIR", "/srv"), ("NONE", ""), ("한", "one")];
    let rows = [
        ("$.", "$."),
        ("$", "$"),
        ("a$1x", "ax"),
        ("a$DIR.", "a/srv."),
        ("a$dir.", "a."),
        ("a$DIRx", "a"),
        ("a${DIR}x", "a/srvx"),
        (r"a\$DIR", "a$DIR"),
        (r"a\\$DIR", r"a\/srv"),
        (r#""a\$DIR""#, "a$DIR"),
        (r#""a\\$DIR""#, r"a\/srv"),
        ("'a$DIR'", "a$DIR"),
        ("\"a'$DIR'\"", "a'/srv'"),
        (r"\${}", "${}"),
        ("${}", "error"),
        ("a${}b", "error"),
        ("${.}", "error"),
        ("${{a}", "error"),
        ("${:}", "error"),
        ("${:-b}", "error"),
        ("${a}}", "}"),
        ("${a", "error"),
        ("${", "error"),
        ("$한!", "one!"),
        // Positional and special parameters are never set.
        ("$7", ""),
        ("${7}", ""),
        ("$007x", "x"),
        ("${999:-x}", "x"),
        ("$@@@", "@@"),
        ("$$", ""),
        ("${?:-x}", "x"),
        ("${-:+x}", ""),
        ("${#}", ""),
        ("${!x}", "error"),
    ];
    table(&set, &rows);
}

#[test]
fn defaults_alternatives_and_demands() {
    let set = [("DIR", "/srv"), ("NONE", ""), ("SH", "bash")];
    let rows = [
        ("${X:-0}y", "0y"),
        ("${DIR:-0}y", "/srvy"),
        ("${NONE:-0}", "0"),
        ("${NONE-0}", ""),
        ("${X-0}", "0"),
        ("${X:-$DIR}", "/srv"),
        ("${X:-${Y:-z}}", "z"),
        ("${X:-${DIR:-z}}", "/srv"),
        ("${X:-}", ""),
        ("${X:+0}", ""),
        ("${DIR:+0}", "0"),
        ("${NONE:+0}", ""),
        ("${NONE+0}", "0"),
        ("${X+0}", ""),
        ("${DIR:+${SH}}", "bash"),
        ("${DIR:+${DIR}:}x", "/srv:x"),
        ("${DIR?}", "/srv"),
        ("${NONE?}", ""),
        ("${NONE:?}", "error"),
        ("${X?}", "error"),
        ("${X:?}", "error"),
        ("${DIR:=x}", "error"),
        ("${DIR=x}", "error"),
        ("${X:Y}", "error"),
        ("${X:-a b}", "a b"),
        ("${X:-a {b}", "a {b"),
        ("${X:-a ${b}", "error"),
        (r"${X:-\$DIR:}", "$DIR:"),
        (r"${X:-\${DIR}z}", "${DIRz}"),
        ("${X:-'a}b'}", "a}b"),
    ];
    table(&set, &rows);
}

#[test]
fn a_demand_says_what_it_was_told_to_say() {
    let message = |input: &str| {
        let set = variables(&[("WHO", "you"), ("NONE", "")]);
        Lexer::new('\\').expand(input, &set).unwrap_err().message
    };
    assert_eq!(message("${X:?give it, $WHO}"), "`X`: give it, you");
    assert_eq!(message("${X?}"), "`X`: is not allowed to be unset");
    assert_eq!(message("${NONE:?}"), "`NONE`: is not allowed to be empty");
}

#[test]
fn beginnings_and_endings() {
    let set = [
        ("V", "v1.2.3"),
        ("F", "xxyy"),
        ("E", ""),
        ("S", "???y"),
        ("A", "a***yy*"),
        ("R", "()[]{}^$.*?|\\x"),
        ("L", "a\nb"),
    ];
    let rows = [
        ("${V#v}", "1.2.3"),
        ("${V%.*}", "v1.2"),
        ("${V%%.*}", "v1"),
        ("${V#*.}", "2.3"),
        ("${V##*.}", "3"),
        ("${V#x}", "v1.2.3"),
        ("${F#*x*y}", "y"),
        ("${F#*}", "xxyy"),
        ("${F##*}", ""),
        ("${F%*}", "xxyy"),
        ("${F%%*}", ""),
        ("${F#}", "xxyy"),
        ("${F##}", "xxyy"),
        ("${F%}", "xxyy"),
        ("${F#$E}", "xxyy"),
        (r"${S#?\?}", "?y"),
        (r"${A%%\**\*}", "a"),
        (r"${R#()[]{\}^$.\*\?|\\}", "x"),
        (r"${F#\x}", "error"),
        ("${F:#x}", "error"),
        ("${F:%x}", "error"),
        ("${NOT#x}", ""),
        ("${L#*b}", "a\nb"),
    ];
    table(&set, &rows);
}

#[test]
fn replacements() {
    let set = [
        ("P", "/foo*/*/*.txt"),
        ("N", "\\*/"),
        ("T", "/tmp/tmp/bar.txt"),
        ("M", "/tmp"),
        ("C", "/a/foo/b/c.txt"),
        ("Q", "/?/"),
        ("SLASH", "/"),
        ("F", "xxyy"),
        ("E", ""),
        ("U", "http://host"),
    ];
    let rows = [
        ("${P/$N/.}", "/foo.*/*.txt"),
        ("${P//$N/.}", "/foo..*.txt"),
        ("${T/$M/}", "/tmp/bar.txt"),
        ("${T//$M/}", "/bar.txt"),
        ("${C/$Q/$SLASH}", "/foo/b/c.txt"),
        ("${C//$Q/$SLASH}", "/foo/c.txt"),
        (r"${U/http:\/\//https:\/\/}", r"https:\/\/host"),
        (r"${T//\//_}", "_tmp_tmp_bar.txt"),
        ("${F/x*y/z}", "z"),
        ("${F//x/$E}", "yy"),
        ("${F/$E/ww}", "wwxxyy"),
        ("${F//$E/-}", "-x-x-y-y-"),
        ("${F//ww}", "error"),
        ("${F//}", "error"),
        ("${F///}", "xxyy"),
        ("${NOT/a/b}", ""),
        ("${F/x/$1}", "xyy"),
    ];
    table(&set, &rows);
}

#[test]
fn words_are_split_outside_quotes() {
    let set = [("MID", "abc  def"), ("LEAD", "  ab c"), ("TAIL", "ab c   ")];
    let rows: [(&str, &[&str]); 16] = [
        ("x", &["x"]),
        ("x${NOT}y", &["xy"]),
        ("x${MID}y", &["xabc", "defy"]),
        ("x\"${MID}\"y", &["xabc  defy"]),
        ("x \"${MID}\"y", &["x", "abc  defy"]),
        ("x${LEAD}y", &["x", "ab", "cy"]),
        ("x\"${LEAD}\" y", &["x  ab c", "y"]),
        ("x${TAIL}", &["xab", "c"]),
        ("x${TAIL}y", &["xab", "c", "y"]),
        ("x\" y  \"", &["x y  "]),
        (r"x\ y", &["x y"]),
        ("x\" y", &["error"]),
        (r#"x\" y"#, &["x\"", "y"]),
        ("'' x", &["x"]),
        // What BuildKit forgets.
        ("80${NOT:-81} 82", &["8081", "82"]),
        ("<< EOF x", &["<< EOF", "x"]),
    ];
    for (input, wanted) in rows {
        assert_eq!(words(input, &set), wanted, "{input}");
    }
}

#[test]
fn names_are_told_apart_by_whether_they_were_set() {
    let set = variables(&[("A", "1"), ("B", "")]);
    let result = Lexer::new('\\').expand("$A ${B:-x} ${C:+$D} \"$E\"", &set).unwrap();
    assert_eq!(result.matched, ["A", "B"].map(str::to_owned).into());
    let unmatched: Vec<(&str, usize)> =
        result.unmatched.iter().map(|name| (name.text.as_str(), name.span.start)).collect();
    assert_eq!(unmatched, [("D", 16), ("C", 11), ("E", 21)]);
}

#[test]
fn quotes_escapes_and_unset_names_are_kept_on_request() {
    let set = variables(&[("A", "1")]);
    let keep =
        Lexer { keep_quotes: true, keep_escapes: true, keep_unset: true, ..Lexer::new('\\') };
    let input = r#"'a' "$A$B" \x ${B:-c} ${B#c} ${B/c/d}"#;
    let wanted = r#"'a' "1$B" \x ${B:-c} ${B#c} ${B/c/d}"#;
    assert_eq!(keep.expand(input, &set).unwrap().text, wanted);

    let document = Lexer { plain_quotes: true, ..Lexer::new('\\') };
    assert_eq!(document.expand("it's \"$A\" \\$A", &set).unwrap().text, "it's \"1\" $A");

    let backquote = Lexer::new('`');
    assert_eq!(backquote.expand(r"C:\dir\`$A", &set).unwrap().text, r"C:\dir\$A");
}

#[test]
fn nothing_grows_without_end() {
    let huge = variables(&[("A", &"a".repeat(MAX_EXPANDED / 2 + 1))]);
    let message = |input: &str| Lexer::new('\\').expand(input, &huge).unwrap_err().message;
    assert_eq!(message("$A$A"), "expands to more than 1024 KiB");
    assert_eq!(message("\"$A$A\""), "expands to more than 1024 KiB");
    assert_eq!(message("${A//a/bcd}"), "expands to more than 1024 KiB");
    let deep = format!("{}x{}", "${B:-".repeat(100), "}".repeat(100));
    assert!(Lexer::new('\\').expand(&deep, &huge).is_err());
    let stars = format!("${{A#{}b}}", "*a".repeat(100));
    assert!(Lexer::new('\\').expand(&stars, &huge).is_err());
}

proptest! {
    #[test]
    fn expansion_never_panics(input in ".{0,60}", value in ".{0,20}") {
        let set = variables(&[("A", &value)]);
        for escape in ['\\', '`'] {
            if let Err(error) = Lexer::new(escape).expand(&input, &set) {
                prop_assert!(error.span.end <= input.len());
            }
        }
    }

    #[test]
    fn substitutions_never_panic(
        operator in "(:-|:\\+|:\\?|#|##|%|%%|/|//)",
        word in "[a*?/\\\\}$]{0,12}",
        value in "[ab\n/*]{0,12}",
    ) {
        let set = variables(&[("A", &value)]);
        let _ = Lexer::new('\\').expand(&format!("${{A{operator}{word}}}"), &set);
    }

    #[test]
    fn plain_text_stays_as_it_is(input in "[^'\"$\\\\]{0,40}") {
        let result = Lexer::new('\\').expand(&input, &Variables::default()).unwrap();
        prop_assert_eq!(&result.text, &input);
        let words: Vec<&str> = result.words.iter().map(|word| word.text.as_str()).collect();
        if !input.contains('<') {
            prop_assert_eq!(words, input.split_whitespace().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_quoted_stays_as_it_is(input in "[^']{0,40}") {
        let quoted = format!("'{input}'");
        let result = Lexer::new('\\').expand(&quoted, &Variables::default()).unwrap();
        prop_assert_eq!(result.text, input);
    }
}
