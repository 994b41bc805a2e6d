use super::*;

#[test]
fn words_that_open_a_document() {
    let open = |word: &str| {
        Heredoc::open(word, Span::default())
            .map(|found| (found.name.text, found.descriptor, found.expand, found.chomp))
    };
    let some =
        |name: &str, descriptor, expand, chomp| Some((name.to_owned(), descriptor, expand, chomp));
    let rows = [
        ("<<EOF", some("EOF", 0, true, false)),
        ("<<-EOF", some("EOF", 0, true, true)),
        ("<< EOF", some("EOF", 0, true, false)),
        ("3<<EOF", some("EOF", 3, true, false)),
        ("<<'EOF'", some("EOF", 0, false, false)),
        ("<<-\"E F\"", some("E F", 0, false, true)),
        ("<<E\"O\"F", some("EOF", 0, false, false)),
        ("<<a.txt", some("a.txt", 0, true, false)),
        ("<<$A", some("$A", 0, true, false)),
        ("<<EOF;", some("EOF;", 0, true, false)),
        ("<<", None),
        ("<<-", None),
        ("<EOF", None),
        ("<<<EOF", None),
        ("<<A<B", None),
        ("a<<EOF", None),
        ("<<A B", None),
        ("<<'EOF", None),
    ];
    for (word, wanted) in rows {
        assert_eq!(open(word), wanted, "{word}");
    }
}

/// The documents of the first instruction, and what is wrong.
fn read(text: &str) -> (Vec<Heredoc>, Vec<String>) {
    let (mut reader, mut problems) = (Reader::new(text), Vec::new());
    let line = reader.line(&mut problems).unwrap();
    let heredocs = read_heredocs(&line, &mut reader, &mut problems);
    (heredocs, problems.into_iter().map(|problem| problem.message).collect())
}

#[test]
fn documents_follow_each_other() {
    let text = "RUN <<A cat <<-B 3<<'C'\none\r\n# two\nA\n\t\tthree\n\n\tB\nC\nRUN x\n";
    let (heredocs, problems) = read(text);
    let contents: Vec<(&str, &str, String)> = heredocs
        .iter()
        .map(|found| (found.name.text.as_str(), found.content.as_str(), found.chomped()))
        .collect();
    let wanted = [
        ("A", "one\r\n# two\n", "one\r\n# two\n".to_owned()),
        ("B", "\t\tthree\n\n", "three\n\n".to_owned()),
        ("C", "", String::new()),
    ];
    assert_eq!(contents, wanted);
    assert_eq!(problems, Vec::<String>::new());
    let first = heredocs.first().unwrap();
    assert_eq!(text.get(first.span.range()), Some("one\r\n# two\n"));
    assert_eq!(text.get(first.name.span.range()), Some("<<A"));
}

#[test]
fn substitutions_of_other_shells_are_no_hindrance() {
    let (heredocs, problems) = read("RUN x=${V:0:3} cat <<A\nB\nA\n");
    assert_eq!((heredocs.len(), problems.len()), (1, 0));
}

#[test]
fn a_document_has_to_end() {
    assert_eq!(read("RUN <<A\nx\n A\n").1, ["heredoc `A` is not closed"]);
    let many = format!("RUN {}\n", "<<A ".repeat(65)) + &"A\n".repeat(65);
    assert_eq!(read(&many).1, ["instruction opens more than 64 heredocs"]);
}

#[test]
fn what_a_shell_would_not_read_is_none() {
    for text in ["RUN echo it's <<A\n", "RUN a \"<<A\"\n", "RUN 1<<<A\n", "RUN x<<A\n"] {
        assert_eq!(read(text), (vec![], vec![]), "{text}");
    }
}
