//! Patterns with `*`, `?`, `[…]` and `**`, matched a path component at a time.
//!
//! A [`Glob`] is a small automaton. Its [`States`] after a directory's path tell at once whether the
//! directory matches, whether anything below can match, and they are what the match of a child goes
//! on from: a walk looks at each name once, and no pattern can make it slow.
//!
//! Two dialects share it. [`Glob::rule`] is that of `.dockerignore` and `--exclude`: moby's
//! patternmatcher, which means Go's `filepath.Match` with `**` added. [`Glob::source`] is
//! `filepath.Match` itself, as in the sources of COPY.

/// A pattern, ready to match.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
    /// Whether `**` goes over a line feed in a name.
    ///
    /// In patternmatcher it does where the rest of the pattern is plain text, and does not where it
    /// became a regular expression, whose `.` matches none. Being the same costs nothing.
    deep_line_feed: bool,
}

/// Where in a [`Glob`] the match stands: a set of positions, one bit each.
///
/// Almost every pattern fits into `low`; then nothing is allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct States {
    low: u64,
    high: Vec<u64>,
}

/// Why a pattern is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// `[` without its `]`, or with nothing in it.
    #[error("`[` begins a set of characters that is empty or is not closed with `]`")]
    OpenClass,
    /// `[-x]`, `[x-]`, `[a-b-c]`.
    #[error("`-` in `[…]` needs a character on both sides; write `\\-` for the character itself")]
    BadRange,
    /// `[z-a]`.
    #[error("a range in `[…]` ends before it begins")]
    ReversedRange,
    /// `\` at the end.
    #[error("`\\` at the end escapes nothing")]
    TrailingEscape,
    /// `!` alone.
    #[error("`!` is not followed by a pattern")]
    LoneException,
}

/// One step of a pattern. Characters are code points; a byte that is not UTF-8 counts as one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Literal(u32),
    /// `?`: any but `/`.
    One,
    /// `*`: any number of any but `/`.
    Star,
    /// `[…]`: one of them, or none of them; `/` is not special, as in Go.
    Class { negated: bool, ranges: Vec<(u32, u32)> },
    /// `**` before something: nothing, or anything up to and with a `/`.
    Directories,
    /// `**` at the end: anything.
    Everything,
}

const SLASH: u32 = '/' as u32;
const LINE_FEED: u32 = '\n' as u32;

impl Glob {
    /// A pattern of `.dockerignore`, already cleaned, without its `!`.
    pub(crate) fn rule(pattern: &[u8]) -> Result<Self, BadPattern> {
        let mut tokens = Vec::new();
        let mut rest = Characters::of(pattern);
        let mut escaped = false;
        let mut bare = false;
        while let Some(character) = rest.next() {
            tokens.push(match character.ascii() {
                Some(b'*') if rest.eat(b'*') => {
                    // `**/` is `**`: it stands for whole directories anyway.
                    bare |= !rest.eat(b'/') && tokens.is_empty();
                    if rest.is_empty() { Token::Everything } else { Token::Directories }
                }
                Some(b'\\') => {
                    escaped = true;
                    Token::Literal(rest.next().ok_or(BadPattern::TrailingEscape)?.0)
                }
                _ => token(character, &mut rest)?,
            });
        }
        if reversed(&tokens) {
            return Err(BadPattern::ReversedRange);
        }
        // patternmatcher compares text where the pattern is plain but for one `**` at its beginning
        // or its end, and has a regular expression for all others. Before plain text, `**` without
        // `/` is any beginning: `**x` matches `ax`, while `**x*` does not.
        let is_plain = |tokens: &[Token]| !escaped && tokens.iter().all(Token::is_text);
        let begins =
            tokens.split_first().is_some_and(|(first, rest)| first.is_deep() && is_plain(rest));
        let ends = tokens.split_last().is_some_and(|(last, rest)| last.is_deep() && is_plain(rest));
        if begins
            && bare
            && let Some(first) = tokens.first_mut()
        {
            *first = Token::Everything;
        }
        Ok(Self { tokens, deep_line_feed: begins || ends })
    }

    /// A source of COPY: Go's `filepath.Match`.
    pub(crate) fn source(pattern: &[u8]) -> Result<Self, BadPattern> {
        let mut tokens = Vec::new();
        let mut rest = Characters::of(pattern);
        while let Some(character) = rest.next() {
            tokens.push(token(character, &mut rest)?);
        }
        Ok(Self { tokens, deep_line_feed: false })
    }

    /// Where every match begins.
    pub(crate) fn start(&self) -> States {
        let mut states = States { low: 0, high: vec![0; self.tokens.len() / 64] };
        self.enter(&mut states, 0);
        states
    }

    /// Where the match stands after `text` too.
    pub(crate) fn after(&self, states: &States, text: &[u8]) -> States {
        let mut now = states.clone();
        if now.is_dead() {
            return now;
        }
        let mut next = states.clone();
        for character in Characters::of(text) {
            if now.is_dead() {
                break;
            }
            next.clear();
            for index in now.iter() {
                self.step(index, character.0, &mut next);
            }
            std::mem::swap(&mut now, &mut next);
        }
        now
    }

    /// Whether what was read so far is a match.
    pub(crate) fn accepts(&self, states: &States) -> bool {
        states.has(self.tokens.len())
    }

    /// Whether `path` matches.
    #[cfg(test)]
    fn matches(&self, path: &[u8]) -> bool {
        self.accepts(&self.after(&self.start(), path))
    }

    fn step(&self, index: usize, character: u32, next: &mut States) {
        let deep = self.deep_line_feed || character != LINE_FEED;
        match self.tokens.get(index) {
            Some(Token::Literal(wanted)) if *wanted == character => self.enter(next, index + 1),
            Some(Token::One) if character != SLASH => self.enter(next, index + 1),
            Some(Token::Star) if character != SLASH => self.enter(next, index),
            Some(Token::Class { negated, ranges })
                if ranges.iter().any(|(low, high)| (*low..=*high).contains(&character))
                    != *negated =>
            {
                self.enter(next, index + 1);
            }
            Some(Token::Directories) => {
                if character == SLASH {
                    self.enter(next, index + 1);
                }
                if deep {
                    // Not `enter`: only a `/` leads on from here.
                    next.set(index);
                }
            }
            Some(Token::Everything) if deep => self.enter(next, index),
            _ => {}
        }
    }

    /// Adds position `index`, and what lies behind it for nothing.
    fn enter(&self, states: &mut States, index: usize) {
        let mut at = index;
        states.set(at);
        while let Some(Token::Star | Token::Directories | Token::Everything) = self.tokens.get(at) {
            at += 1;
            states.set(at);
        }
    }
}

impl States {
    /// Whether nothing that goes on from here can match.
    pub(crate) fn is_dead(&self) -> bool {
        self.low == 0 && self.high.iter().all(|word| *word == 0)
    }

    fn has(&self, index: usize) -> bool {
        let word = match (index / 64).checked_sub(1) {
            None => Some(&self.low),
            Some(at) => self.high.get(at),
        };
        word.is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    fn set(&mut self, index: usize) {
        let word = match (index / 64).checked_sub(1) {
            None => Some(&mut self.low),
            Some(at) => self.high.get_mut(at),
        };
        if let Some(word) = word {
            *word |= 1 << (index % 64);
        }
    }

    fn clear(&mut self) {
        self.low = 0;
        // Asked for each character: even an empty `fill` is a call.
        if !self.high.is_empty() {
            self.high.fill(0);
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let words = std::iter::once(self.low).chain(self.high.iter().copied());
        words.enumerate().flat_map(|(at, word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = usize::try_from(left.trailing_zeros()).ok().filter(|_| left != 0)?;
                left &= left - 1;
                Some(at * 64 + bit)
            })
        })
    }
}

impl Token {
    fn is_text(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    fn is_deep(&self) -> bool {
        matches!(self, Self::Directories | Self::Everything)
    }
}

/// Whether `path` has characters that make it a pattern, apart from escaped ones.
pub(crate) fn has_wildcards(path: &[u8]) -> bool {
    let mut bytes = path.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next(),
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

/// What both dialects have in common.
fn token(character: Character, rest: &mut Characters<'_>) -> Result<Token, BadPattern> {
    Ok(match character.ascii() {
        Some(b'*') => Token::Star,
        Some(b'?') => Token::One,
        Some(b'[') => class(rest)?,
        Some(b'\\') => Token::Literal(rest.next().ok_or(BadPattern::TrailingEscape)?.0),
        _ => Token::Literal(character.0),
    })
}

/// The rest of `[…]`, after `[`.
fn class(rest: &mut Characters<'_>) -> Result<Token, BadPattern> {
    let negated = rest.eat(b'^');
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && rest.eat(b']') {
            return Ok(Token::Class { negated, ranges });
        }
        let low = member(rest)?;
        let high = if rest.eat(b'-') { member(rest)? } else { low };
        ranges.push((low, high));
    }
}

/// One character of `[…]`, maybe escaped.
fn member(rest: &mut Characters<'_>) -> Result<u32, BadPattern> {
    let character = rest.next().ok_or(BadPattern::OpenClass)?;
    match character.ascii() {
        Some(b'-') => Err(BadPattern::BadRange),
        Some(b']') => Err(BadPattern::OpenClass),
        Some(b'\\') => Ok(rest.next().ok_or(BadPattern::OpenClass)?.0),
        _ => Ok(character.0),
    }
}

/// A range like `[z-a]`: no character in `filepath.Match`, an error in patternmatcher.
fn reversed(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| {
        matches!(token, Token::Class { ranges, .. } if ranges.iter().any(|(low, high)| low > high))
    })
}

/// A character as a number: a code point, or a byte that is not part of one.
#[derive(Clone, Copy)]
struct Character(u32);

impl Character {
    fn ascii(self) -> Option<u8> {
        u8::try_from(self.0).ok().filter(u8::is_ascii)
    }
}

/// The characters of a text that need not be UTF-8.
struct Characters<'a> {
    chunks: std::str::Utf8Chunks<'a>,
    valid: std::str::Chars<'a>,
    invalid: std::slice::Iter<'a, u8>,
}

/// Where bytes that are not UTF-8 go: the code points of lone surrogates, which text never has.
const STRAY: u32 = 0xDC00;

impl<'a> Characters<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { chunks: text.utf8_chunks(), valid: "".chars(), invalid: [].iter() }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.fill();
        if !self.valid.as_str().as_bytes().starts_with(&[byte]) {
            return false;
        }
        self.valid.next();
        true
    }

    fn is_empty(&mut self) -> bool {
        self.fill();
        self.valid.as_str().is_empty() && self.invalid.len() == 0
    }

    fn fill(&mut self) {
        while self.valid.as_str().is_empty() && self.invalid.len() == 0 {
            let Some(chunk) = self.chunks.next() else { return };
            self.valid = chunk.valid().chars();
            self.invalid = chunk.invalid().iter();
        }
    }
}

impl Iterator for Characters<'_> {
    type Item = Character;

    fn next(&mut self) -> Option<Character> {
        self.fill();
        if let Some(character) = self.valid.next() {
            return Some(Character(u32::from(character)));
        }
        self.invalid.next().map(|byte| Character(STRAY + u32::from(*byte)))
    }
}

#[cfg(test)]
mod tests;
