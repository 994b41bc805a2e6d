use images::Sight;

use super::*;
use crate::watch::tests::Table;

fn known(digest: &str) -> Known {
    Known { seen: Some(Sight::single(digest)), pending: None }
}

/// A book that has read all of `names`.
fn open(host: &Table, names: &[&str]) -> Book {
    let book = Book::default();
    for name in names {
        book.known(host, name).unwrap();
    }
    book
}

#[test]
fn what_is_written_is_read_again() {
    let host = Table::default();
    let book = open(&host, &["a", "b"]);
    book.remember("a", known("1"), 5);
    let note = Note { of: "1".to_owned(), name: "base".to_owned(), ..Note::default() };
    book.remember_note("b", note.clone(), 5);
    assert_eq!(book.commit(&host, 5).unwrap(), [""; 0]);
    let book = Book::default();
    assert_eq!(book.known(&host, "a").unwrap(), Some(known("1")));
    assert_eq!(book.note(&host, "b").unwrap(), Some(note));
    assert_eq!(book.known(&host, "c").unwrap(), None);
}

#[test]
fn what_is_known_already_is_not_written_again_but_once_a_day() {
    let host = Table::default();
    for (now, writes) in [(0, 1), (1_000, 1), (DAY - 1, 1), (DAY, 2), (DAY + 5, 2)] {
        let book = open(&host, &["a"]);
        book.remember("a", known("1"), now);
        book.commit(&host, now).unwrap();
        assert_eq!(host.writes.get(), writes, "at {now}");
    }
}

#[test]
fn of_two_that_write_about_one_image_the_first_counts() {
    let host = Table::default();
    let names: Vec<String> = (0..100).map(|number| format!("image-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (first, second) = (open(&host, &names), open(&host, &names));
    for (number, name) in names.iter().enumerate() {
        if number % 2 == 0 {
            first.remember(name, known("first"), 5);
        }
        if number % 3 == 0 {
            second.remember(name, known("second"), 5);
        }
    }
    assert_eq!(first.commit(&host, 5).unwrap(), [""; 0]);
    let mut lost = second.commit(&host, 5).unwrap();
    lost.sort();
    let mut both: Vec<&str> = names.iter().copied().step_by(6).collect();
    both.sort_unstable();
    assert_eq!(lost, both);
    let book = Book::default();
    for (number, name) in names.iter().enumerate() {
        let expect = match (number % 2, number % 3) {
            (0, _) => Some(known("first")),
            (_, 0) => Some(known("second")),
            _ => None,
        };
        assert_eq!(book.known(&host, name).unwrap(), expect, "{name}");
    }
}

#[test]
fn what_nobody_watches_is_forgotten() {
    let host = Table::default();
    // Two of one page.
    let others = (0..).map(|number| format!("image-{number}"));
    let other = others.into_iter().find(|name| page_of(name) == page_of("a")).unwrap();
    let book = open(&host, &["a"]);
    book.remember("a", known("1"), 0);
    book.commit(&host, 0).unwrap();
    for (now, is_known) in [(FORGOTTEN_AFTER - 1, true), (FORGOTTEN_AFTER, false)] {
        let book = open(&host, &[&other]);
        book.remember(&other, known(&now.to_string()), now);
        book.commit(&host, now).unwrap();
        assert_eq!(Book::default().known(&host, "a").unwrap().is_some(), is_known);
    }
}
