use super::*;

fn line(text: &str) -> Line {
    let (mut reader, mut problems) = (crate::line::Reader::new(text), Vec::new());
    reader.line(&mut problems).unwrap_or_default()
}

fn strings(text: &str) -> Option<Vec<String>> {
    let line = line(text);
    match read(&line, 0, line.text.len()) {
        Json::Strings(words) => Some(words.into_iter().map(|word| word.text).collect()),
        Json::Mixed(_) | Json::None => None,
    }
}

#[test]
fn arrays_of_strings_are_read() {
    let rows: [(&str, &[&str]); 8] = [
        ("[]", &[]),
        ("[ ]", &[]),
        (r#"["a"]"#, &["a"]),
        (r#"[ "a" ,"b","" ] "#, &["a", "b", ""]),
        ("[\t\"a\"\t]", &["a"]),
        (
            r#"["é ☃", "\" \\ \/ \b \f \n \r \t \u0000"]"#,
            &["é ☃", "\" \\ / \u{8} \u{c} \n \r \t \0"],
        ),
        (
            r#"["\ud83d\ude00", "\ud83d", "\ude00x", "\ud83d\u0041"]"#,
            &["😀", "\u{fffd}", "\u{fffd}x", "\u{fffd}A"],
        ),
        ("[\"a\", \\\n \"b\"]", &["a", "b"]),
    ];
    for (text, wanted) in rows {
        let wanted: Vec<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(strings(text), Some(wanted), "{text}");
    }
}

#[test]
fn what_is_no_json_is_something_else() {
    let rows = [
        "a",
        "[",
        "[\"a\"",
        "[\"a\",]",
        "['a']",
        "[\"a\"] b",
        "[\"a\" \"b\"]",
        "[\"\\x\"]",
        "[01]",
        "[\"a\tb\"]",
        "[nul]",
        "[1.]",
        "[-]",
        "[1e]",
        "[{\"a\"}]",
        "[{a:1}]",
        "\"[]\"",
        "[\"\\u12\"]",
        "[,]",
    ];
    for text in rows {
        let line = line(text);
        assert_eq!(read(&line, 0, line.text.len()), Json::None, "{text}");
    }
    let deep = "[".repeat(1000);
    assert_eq!(read(&line(&deep), 0, deep.len()), Json::None);
}

#[test]
fn other_values_are_a_mistake_and_have_a_place() {
    let values =
        ["42", "-1.5e+3", "{}", "{\"c\": [1, {}], \"d\":0}", "[\"c\"]", "true", "false", "null"];
    for value in values {
        let text = format!("[\"a\", {value}, \"b\"]");
        let found = read(&line(&text), 0, text.len());
        assert_eq!(found, Json::Mixed(Span::new(6, 6 + value.len())), "{value}");
    }
}
