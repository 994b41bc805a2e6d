//! `ENV`, `LABEL` and `ARG`: names and values.

use super::args::{Args, is_blank};
use crate::diagnostic::Diagnostic;
use crate::instruction::{Argument, Pair};
use crate::word::Word;

/// `key=value key=value`, or the old `key value`.
pub(super) fn pairs(args: &Args<'_>, problems: &mut Vec<Diagnostic>) -> Option<Vec<Pair>> {
    let words = words(args);
    let Some(first) = words.first() else {
        problems.push(args.missing("name").help(format!("write `{} NAME=value`", args.name)));
        return None;
    };
    if !first.text.contains('=') {
        return legacy(args, problems).map(|pair| vec![pair]);
    }
    let mut pairs = Vec::new();
    for word in words {
        match split(&word) {
            Some((key, _)) if key.text.is_empty() => problems.push(blank(&word)),
            Some((key, value)) => pairs.push(Pair { key, value, legacy: false }),
            None => {
                let message = format!("`{}` has no `=`", word.text);
                let help = "write `name=value`, and put values with blanks in quotes";
                problems.push(Diagnostic::error(word.span, message).help(help));
            }
        }
    }
    Some(pairs)
}

fn legacy(args: &Args<'_>, problems: &mut Vec<Diagnostic>) -> Option<Pair> {
    let rest = args.rest();
    let length = rest.find(is_blank).unwrap_or(rest.len());
    let value = rest.get(length..).unwrap_or_default();
    let blanks = value.len() - value.trim_start_matches(is_blank).len();
    let key = args.line.word(args.start, args.start + length);
    if value.is_empty() {
        let message = format!("`{}` has no value", key.text);
        let help = format!("write `{} {}=value`", args.name, key.text);
        problems.push(Diagnostic::error(key.span, message).help(help));
        return None;
    }
    let value = args.line.word(args.start + length + blanks, args.end);
    Some(Pair { key, value, legacy: true })
}

/// `name name=default`
pub(super) fn arguments(args: &Args<'_>, problems: &mut Vec<Diagnostic>) -> Option<Vec<Argument>> {
    let words = words(args);
    if words.is_empty() {
        problems.push(args.missing("name").help("write `ARG NAME` or `ARG NAME=default`"));
        return None;
    }
    let mut arguments = Vec::new();
    for word in words {
        match split(&word) {
            Some((name, _)) if name.text.is_empty() => problems.push(blank(&word)),
            Some((name, default)) => arguments.push(Argument { name, default: Some(default) }),
            None => arguments.push(Argument { name: word, default: None }),
        }
    }
    Some(arguments)
}

fn blank(word: &Word) -> Diagnostic {
    Diagnostic::error(word.span, format!("`{}` has no name before `=`", word.text))
}

fn split(word: &Word) -> Option<(Word, Word)> {
    let sign = word.text.find('=')?;
    let part = |from: usize, to: usize| {
        Word::new(word.text.get(from..to).unwrap_or_default(), word.part(from, to))
    };
    Some((part(0, sign), part(sign + 1, word.text.len())))
}

/// Words between blanks outside quotes; quotes and escapes are kept, for expansion to see.
fn words(args: &Args<'_>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut start = None;
    let mut quote = None;
    let mut chars = args.rest().char_indices();
    while let Some((index, c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            let at = args.start + index;
            words.extend(start.take().map(|from| (std::mem::take(&mut word), from, at)));
            continue;
        }
        start.get_or_insert(args.start + index);
        match quote {
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            // Nothing is escaped within single quotes.
            _ if c == args.escape && quote != Some('\'') => {
                // At the end of the line it escapes nothing, and is dropped.
                let Some((_, next)) = chars.next() else { continue };
                word.push(c);
                word.push(next);
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    words.extend(start.map(|from| (word, from, args.end)));
    let in_file = |(text, from, to)| Word::new(text, args.line.span(from, to));
    words.into_iter().filter(|(text, ..)| !text.is_empty()).map(in_file).collect()
}
