//! Patterns of `${name#pattern}` and its kin: `*` is anything, `?` one character, `\` takes the next
//! one as it is. Neither of the first two goes over the end of a line.

use super::MAX_EXPANDED;

/// 16 million: steps of a match, a quarter of a second at worst.
const MAX_STEPS: usize = 1 << 24;

const TOO_LONG: &str = "pattern and value are too long to be matched";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Exactly(char),
    One,
    Any,
}

/// A pattern, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// Reads a pattern. `\/` and `\}` are `/` and `}`: there the escape is the substitution's.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' => Token::Any,
                '?' => Token::One,
                '\\' => match chars.next() {
                    Some(c @ ('*' | '?' | '\\' | '/' | '}')) => Token::Exactly(c),
                    Some(c) => return Err(format!("pattern `{text}` has the escape `\\{c}`")),
                    None => return Err(format!("pattern `{text}` ends in an escape")),
                },
                c => Token::Exactly(c),
            });
        }
        Ok(Self { tokens })
    }

    /// `value` without the shortest or longest beginning that matches.
    pub(super) fn without_prefix(&self, value: &str, longest: bool) -> Result<String, String> {
        let chars: Vec<char> = value.chars().collect();
        let end = Search::new(&self.tokens, &chars, longest)?.find(0)?.unwrap_or_default();
        Ok(chars.iter().skip(end).collect())
    }

    /// `value` without the shortest or longest ending that matches.
    pub(super) fn without_suffix(&self, value: &str, longest: bool) -> Result<String, String> {
        let tokens: Vec<Token> = self.tokens.iter().rev().copied().collect();
        let chars: Vec<char> = value.chars().rev().collect();
        let end = Search::new(&tokens, &chars, longest)?.find(0)?.unwrap_or_default();
        Ok(chars.iter().skip(end).rev().collect())
    }

    /// `value` with the first match, or every match, replaced.
    pub(super) fn replace(&self, value: &str, by: &str, all: bool) -> Result<String, String> {
        let chars: Vec<char> = value.chars().collect();
        let mut search = Search::new(&self.tokens, &chars, true)?;
        let mut result = String::new();
        let (mut at, mut last) = (0, None);
        while at <= chars.len() {
            let end = search.find(at)?;
            // Nothing is not matched right after a match.
            let end = end.filter(|end| !(*end == at && last == Some(at)));
            if let Some(end) = end {
                result.push_str(by);
                last = Some(end);
            }
            let next = end.unwrap_or(at);
            if next == at {
                result.extend(chars.get(at));
            }
            at = next.max(at + 1);
            if end.is_some() && !all {
                result.extend(chars.iter().skip(at));
                break;
            }
            if result.len() > MAX_EXPANDED {
                return Err(format!("expands to more than {} KiB", MAX_EXPANDED >> 10));
            }
        }
        Ok(result)
    }
}

/// Finds matches: of several that begin at one place, the one in which the first `*` takes most (or
/// least), then the second, and so on.
///
/// A state (a token and a place) that once led nowhere leads nowhere again, so each is tried once
/// between two matches.
struct Search<'a> {
    tokens: &'a [Token],
    chars: &'a [char],
    longest: bool,
    seen: Vec<u32>,
    round: u32,
    steps: usize,
}

impl<'a> Search<'a> {
    fn new(tokens: &'a [Token], chars: &'a [char], longest: bool) -> Result<Self, String> {
        let states = (tokens.len() + 1).saturating_mul(chars.len() + 1);
        if states > MAX_STEPS {
            return Err(TOO_LONG.to_owned());
        }
        Ok(Self { tokens, chars, longest, seen: vec![0; states], round: 1, steps: 0 })
    }

    /// Where the match that begins at `start` ends.
    fn find(&mut self, start: usize) -> Result<Option<usize>, String> {
        let mut open = vec![(0, start)];
        while let Some((token, at)) = open.pop() {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return Err(TOO_LONG.to_owned());
            }
            let index = token * (self.chars.len() + 1) + at;
            match self.seen.get_mut(index) {
                Some(round) if *round != self.round => *round = self.round,
                _ => continue,
            }
            let next = self.chars.get(at).copied();
            match self.tokens.get(token) {
                None => {
                    self.round += 1;
                    return Ok(Some(at));
                }
                Some(Token::Exactly(c)) if next == Some(*c) => open.push((token + 1, at + 1)),
                Some(Token::One) if next.is_some_and(|c| c != '\n') => {
                    open.push((token + 1, at + 1));
                }
                Some(Token::Exactly(_) | Token::One) => {}
                Some(Token::Any) => {
                    let more = next.is_some_and(|c| c != '\n').then_some((token, at + 1));
                    let done = Some((token + 1, at));
                    // The one pushed last is tried first.
                    let (later, first) = if self.longest { (done, more) } else { (more, done) };
                    open.extend(later);
                    open.extend(first);
                }
            }
        }
        Ok(None)
    }
}
