use super::*;

#[test]
fn places_are_counted_in_lines_and_characters() {
    let source = Source::new("\u{feff}FROM é\r\n\tRUN x\n");
    let at = |line, column| Position { line, column };
    assert_eq!(source.position(0), at(1, 1));
    assert_eq!(source.position(3), at(1, 1));
    assert_eq!(source.position(8), at(1, 6));
    assert_eq!(source.position(10), at(1, 7));
    assert_eq!(source.position(13), at(2, 2));
    assert_eq!(source.position(999), at(3, 1));
    assert_eq!(source.line(1), "FROM é");
    assert_eq!(source.line(2), "\tRUN x");
    assert_eq!(source.line(0), "");
    assert_eq!(source.line(9), "");
}

#[test]
fn carets_stand_below_what_they_mean() {
    let source = Source::new("FROM a\n\tRUM x\n");
    assert_eq!(source.snippet(Span::new(8, 11)), "  |\n2 | \tRUM x\n  | \t^^^");
}
