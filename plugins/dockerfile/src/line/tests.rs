use super::*;

/// The joined lines of a text, and what is wrong.
fn lines(text: &str) -> (Vec<Line>, Vec<Diagnostic>) {
    let (mut reader, mut problems) = (Reader::new(text), Vec::new());
    let mut lines = Vec::new();
    while let Some(line) = reader.line(&mut problems) {
        lines.push(line);
    }
    (lines, problems)
}

fn joined(text: &str) -> Vec<String> {
    lines(text).0.into_iter().map(|line| line.text).collect()
}

#[test]
fn continuations_are_joined() {
    let rows: [(&str, &[&str]); 13] = [
        ("", &[]),
        ("a\n\nb", &["a", "b"]),
        ("  a\r\n b \r\n", &["a", "b "]),
        ("\u{feff}a", &["a"]),
        ("a \\\n  b", &["a   b"]),
        ("a \\  \t\n b\\\r\nc", &["a  bc"]),
        ("a \\\n# no\n   # no\n\n \t\n b", &["a  b"]),
        ("a \\\\\nb", &["a \\\\", "b"]),
        ("a \\", &["a "]),
        ("\\\na", &["a"]),
        ("\\", &[""]),
        ("# escape=`\na `\nb \\\nc", &["a b \\", "c"]),
        ("a \\x\nb", &["a \\x", "b"]),
    ];
    for (text, wanted) in rows {
        assert_eq!(joined(text), wanted, "{text:?}");
    }
}

#[test]
fn every_part_of_a_joined_line_knows_where_it_stands() {
    let text = "RUN a \\\n  # no\n\n   bc \\\n d\n";
    let (lines, _) = lines(text);
    let line = lines.first().unwrap();
    assert_eq!(line.text, "RUN a    bc  d");
    let part = |part: &str| {
        let start = line.text.find(part).unwrap();
        let span = line.span(start, start + part.len());
        text.get(span.range()).unwrap()
    };
    assert_eq!(part("RUN"), "RUN");
    assert_eq!(part("bc"), "bc");
    assert_eq!(part("d"), "d");
    assert_eq!(part("a    bc"), "a \\\n  # no\n\n   bc");
    assert_eq!(line.span(4, 4), Span::new(4, 4));
    assert_eq!(line.empty_continuation, Some(Span::new(15, 15)));
    assert_eq!(line.whole(), Span::new(0, 26));
}

#[test]
fn comments_belong_to_the_instruction_below() {
    let (lines, _) = lines("# one\n\n  #two \nFROM a\n# three\n#\n#four\n\nRUN b\nRUN c\n");
    let comments: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| line.comments.iter().map(|comment| comment.text.as_str()).collect())
        .collect();
    assert_eq!(comments, [vec!["one", "two"], vec!["four"], vec![]]);
}

#[test]
fn directives_are_read_until_a_line_is_none() {
    let read = |text: &str| {
        let (mut reader, mut problems) = (Reader::new(text), Vec::new());
        while reader.line(&mut problems).is_some() {}
        let said = reader.directives.into_directives();
        let syntax = said.syntax.map(|word| word.text).unwrap_or_default();
        let problems: Vec<String> = problems.into_iter().map(|found| found.message).collect();
        (syntax, said.escape, said.check.error, problems)
    };
    let none: Vec<String> = Vec::new();
    let all = "#!/usr/bin/env x\n# Syntax = docker/dockerfile:1 \n#escape=`\n# check=error=true\n";
    assert_eq!(read(all), ("docker/dockerfile:1".to_owned(), '`', true, none.clone()));
    for text in
        ["\n# escape=`\n", "# text\n# escape=`\n", "# x=y\n# escape=`\n", "FROM a\n#escape=`"]
    {
        assert_eq!(read(text), (String::new(), '\\', false, none.clone()), "{text:?}");
    }
    assert_eq!(read("# escape=x\n").3, ["escape character is `x`, not ` or \\"]);
    assert_eq!(
        read("# syntax=a\n# syntax=b\n").3,
        ["only one `syntax` parser directive can be used"]
    );
    assert_eq!(read("# check=skip\n").3, ["`skip` is no option of `check`"]);
    assert_eq!(read("# check=error=x\n").3, ["`error` is `x`, expected true or false"]);
}
