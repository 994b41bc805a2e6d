use std::sync::Arc;

use report::{Mask, Secret};

use super::*;
use crate::recorder::Recorder;

fn log() -> (StepLog, Arc<Recorder>, Mask) {
    let recorder = Arc::new(Recorder::default());
    let mask = Mask::new();
    (StepLog::new(Voice::new(Arc::clone(&recorder) as _, mask.clone())), recorder, mask)
}

fn field(name: &str, value: &str) -> Field {
    Field { name: name.to_owned(), value: value.to_owned() }
}

#[test]
fn messages_fields_progress_and_groups_arrive_in_order() {
    let (log, recorder, _) = log();
    log.emit(Level::Info, "hello", &[field("tag", "1.2")]);
    {
        let _group = log.group("pull");
        let bar = log.progress("layers", Some(3), Unit::Items);
        bar.advance(2);
        bar.title("more layers");
    }
    let expected = [
        "Info hello tag=1.2",
        "group pull",
        "start 1 layers Some(3) Items",
        "advance 1 2",
        "title 1 more layers",
        "end 1",
        "group end",
    ];
    assert_eq!(recorder.lines(), expected);
}

#[test]
fn secrets_are_masked_everywhere() {
    let (log, recorder, mask) = log();
    mask.learn(&Secret::new("hunter2hunter2"));
    log.emit(Level::Warn, "it is hunter2hunter2", &[field("hunter2hunter2", "x hunter2hunter2")]);
    let _group = log.group("hunter2hunter2");
    log.progress("hunter2hunter2", None, Unit::Bytes).title("a hunter2hunter2");
    log.lines(Level::Info).write(b"hunter2hunter2\nhunter2");
    log.lines(Level::Info).write(b"hunter2hunter2");
    let said = recorder.lines().join("\n");
    assert!(!said.contains("hunter2hunter2"), "{said}");
    assert_eq!(said.matches("***").count(), 8, "{said}");
}

#[test]
fn a_long_message_is_cut_and_that_is_said_once() {
    let (log, recorder, _) = log();
    for _ in 0..3 {
        log.emit(Level::Info, &"é".repeat(LONGEST_MESSAGE), &[]);
    }
    let lines = recorder.lines();
    let cut = lines.iter().filter(|line| line.contains("8 KiB")).count();
    assert_eq!((lines.len(), cut), (4, 1));
    assert_eq!(lines[0].len(), "Info ".len() + LONGEST_MESSAGE);
}

#[test]
fn a_secret_across_the_cut_is_masked_before_it_is_cut() {
    let (log, recorder, mask) = log();
    mask.learn(&Secret::new("hunter2hunter2"));
    let before = "x".repeat(LONGEST_MESSAGE - 7);
    log.emit(Level::Info, &format!("{before}hunter2hunter2"), &[]);
    log.lines(Level::Info).write(format!("{before}hunter2hunter2\n").as_bytes());
    assert!(!recorder.lines().join("").contains("hunter"));
}

#[test]
fn a_log_that_is_full_says_so_once_and_is_silent() {
    let (log, recorder, _) = log();
    let message = "x".repeat(LONGEST_MESSAGE - 1);
    let most = LONGEST_LOG / LONGEST_MESSAGE;
    for _ in 0..most + 10 {
        log.emit(Level::Info, &message, &[]);
    }
    let lines = recorder.lines();
    assert_eq!(lines.len(), most + 1);
    assert!(lines.last().unwrap().starts_with("Warn the step has said more than 4 MiB"));
}

#[test]
fn empty_messages_and_titles_use_up_the_log_too() {
    let (log, recorder, _) = log();
    let message = "x".repeat(LONGEST_MESSAGE - 1);
    for _ in 1..LONGEST_LOG / LONGEST_MESSAGE {
        log.emit(Level::Info, &message, &[]);
    }
    let bar = log.progress("t", None, Unit::Items);
    let before = recorder.lines().len();
    for _ in 0..LONGEST_MESSAGE {
        bar.title("");
        log.emit(Level::Info, "", &[]);
    }
    assert!(recorder.lines().len() - before < LONGEST_MESSAGE);
    bar.title("not any more");
    assert!(!recorder.lines().iter().any(|line| line.contains("not any more")));
}

#[test]
fn many_or_large_fields_are_cut() {
    let (log, recorder, _) = log();
    log.emit(Level::Info, "m", &vec![field("n", "v"); MOST_FIELDS + 1]);
    log.emit(Level::Info, "m", &[field("n", &"v".repeat(2 * LONGEST_MESSAGE))]);
    let lines = recorder.lines();
    assert_eq!(lines[0].matches(" n=v").count(), MOST_FIELDS);
    assert!(lines[1].contains("cut"), "{}", lines[1]);
    assert!(lines[2].len() <= LONGEST_MESSAGE + "Info  =".len());
}

#[test]
fn bytes_become_lines() {
    let (log, recorder, _) = log();
    let mut lines = log.lines(Level::Warn);
    lines.write(b"one\r\ntw");
    lines.write(b"o\n\nth\xffree");
    assert_eq!(recorder.lines(), ["Warn one", "Warn two", "Warn "]);
    drop(lines);
    assert_eq!(recorder.lines()[3], "Warn th\u{fffd}ree");
}

#[test]
fn a_line_without_end_is_bounded() {
    let (log, recorder, _) = log();
    let mut lines = log.lines(Level::Info);
    for _ in 0..100 {
        lines.write(&vec![b'x'; LONGEST_MESSAGE]);
    }
    assert!(lines.pending.len() <= LONGEST_LINE);
    lines.write(b"\nshort\n");
    let said = recorder.lines();
    assert_eq!(said[0].len(), "Info ".len() + LONGEST_MESSAGE);
    assert_eq!(said[2], "Info short");
}
