//! The exec form: a JSON array of strings.
//!
//! What is no JSON at all is the shell form; what is JSON but holds something else is a mistake.
//! Both are as BuildKit has it, and so is that nothing may follow the array.

use crate::line::Line;
use crate::source::Span;
use crate::word::Word;

/// 64: no array of strings is deeper than one.
const MAX_DEPTH: usize = 64;

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    /// An array of strings.
    Strings(Vec<Word>),
    /// A JSON array that holds something else, and where.
    Mixed(Span),
    /// Not a JSON array.
    None,
}

/// Reads `line.text[start..end]`.
pub(crate) fn read(line: &Line, start: usize, end: usize) -> Json {
    let text = line.text.get(start..end).unwrap_or_default();
    let mut parser = Parser { text, at: 0 };
    parser.blanks();
    if parser.peek() != Some('[') {
        return Json::None;
    }
    let mut strings = Vec::new();
    let mut other = None;
    let read = parser.array(0, &mut |value, from, to| {
        let span = line.span(start + from, start + to);
        match value {
            Some(text) => strings.push(Word::new(text, span)),
            None => _ = other.get_or_insert(span),
        }
    });
    parser.blanks();
    match (read, other) {
        (Some(()), _) if parser.at < text.len() => Json::None,
        (None, _) => Json::None,
        (Some(()), Some(span)) => Json::Mixed(span),
        (Some(()), None) => Json::Strings(strings),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

type Found<'a> = &'a mut dyn FnMut(Option<String>, usize, usize);

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.next();
        }
    }

    fn eat(&mut self, c: char) -> Option<()> {
        (self.next()? == c).then_some(())
    }

    /// An array; its elements are told to `found`, strings with what they say.
    fn array(&mut self, depth: usize, found: Found<'_>) -> Option<()> {
        self.eat('[')?;
        self.blanks();
        if self.peek() == Some(']') {
            return self.eat(']');
        }
        loop {
            self.blanks();
            let start = self.at;
            let value = self.value(depth + 1)?;
            found(value, start, self.at);
            self.blanks();
            match self.next()? {
                ',' => {}
                ']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A value: what it says if it is a string.
    fn value(&mut self, depth: usize) -> Option<Option<String>> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            '"' => self.string().map(Some),
            '[' => self.array(depth, &mut |_, _, _| {}).map(|()| None),
            '{' => self.object(depth).map(|()| None),
            '-' | '0'..='9' => self.number().map(|()| None),
            _ => {
                let rest = self.text.get(self.at..)?;
                let word = ["true", "false", "null"].into_iter().find(|w| rest.starts_with(w))?;
                self.at += word.len();
                Some(None)
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.eat('{')?;
        self.blanks();
        if self.peek() == Some('}') {
            return self.eat('}');
        }
        loop {
            self.blanks();
            self.string()?;
            self.blanks();
            self.eat(':')?;
            self.blanks();
            self.value(depth + 1)?;
            self.blanks();
            match self.next()? {
                ',' => {}
                '}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        self.next().filter(char::is_ascii_digit)?;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.next();
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some('-') {
            self.next();
        }
        match self.peek() {
            Some('0') => self.eat('0')?,
            _ => self.digits()?,
        }
        if self.peek() == Some('.') {
            self.next();
            self.digits()?;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.next();
            if matches!(self.peek(), Some('+' | '-')) {
                self.next();
            }
            self.digits()?;
        }
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        self.eat('"')?;
        let mut text = String::new();
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(match self.next()? {
                    c @ ('"' | '\\' | '/') => c,
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'u' => self.unicode()?,
                    _ => return None,
                }),
                c if c < ' ' => return None,
                c => text.push(c),
            }
        }
    }

    /// Four digits, or two halves of a pair; a half alone is U+FFFD.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) {
            let before = self.at;
            let second = (self.next() == Some('\\') && self.next() == Some('u'))
                .then(|| self.hex())
                .flatten()
                .filter(|second| (0xdc00..0xe000).contains(second));
            if let Some(second) = second {
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            self.at = before;
        }
        Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests;
