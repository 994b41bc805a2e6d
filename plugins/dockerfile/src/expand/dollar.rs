//! What follows a `$`.

use super::pattern::Pattern;
use super::{ExpandError, Piece, State};
use crate::source::Span;

impl State<'_> {
    pub(super) fn dollar(&mut self) -> Result<String, ExpandError> {
        let start = self.at;
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.look_up(&name, start) {
                Some(value) => value,
                None if self.lexer.keep_unset => format!("${name}"),
                None => String::new(),
            });
        }
        self.next();
        match self.peek() {
            None => return Err(self.unclosed(start)),
            Some('{' | '}' | ':') => {
                self.next();
                return Err(self.help(start, "bad substitution", "write `${NAME}`"));
            }
            Some(_) => {}
        }
        let name = self.name();
        let Some(modifier) = self.next() else { return Err(self.unclosed(start)) };
        match modifier {
            '}' => Ok(match self.look_up(&name, start) {
                Some(value) => value,
                None if self.lexer.keep_unset => format!("${{{name}}}"),
                None => String::new(),
            }),
            ':' => {
                let Some(modifier) = self.next() else { return Err(self.unclosed(start)) };
                match modifier {
                    '-' | '+' | '?' => self.default(start, &name, modifier, true),
                    '#' | '%' => Err(self.unsupported(start, &format!(":{modifier}"))),
                    _ => self.slice(start, &name, modifier),
                }
            }
            '-' | '+' | '?' => self.default(start, &name, modifier, false),
            '#' | '%' => self.trim(start, &name, modifier),
            '/' => self.replace(start, &name),
            _ => Err(self.unsupported(start, &modifier.to_string())),
        }
    }

    /// `-`, `+`, `?`, with a colon or without.
    fn default(
        &mut self,
        start: usize,
        name: &str,
        modifier: char,
        colon: bool,
    ) -> Result<String, ExpandError> {
        let word = self.operand(start, '}', false)?;
        let value = self.look_up(name, start);
        let colon_text = if colon { ":" } else { "" };
        if value.is_none() && self.lexer.keep_unset {
            return Ok(format!("${{{name}{colon_text}{modifier}{word}}}"));
        }
        let is_unset = value.is_none();
        let value = value.filter(|value| !(colon && value.is_empty()));
        match (modifier, value) {
            ('-', value) => Ok(value.unwrap_or(word)),
            ('+', Some(_)) => Ok(word),
            ('+', None) => Ok(String::new()),
            (_, Some(value)) => Ok(value),
            (_, None) => {
                let state = if is_unset { "unset" } else { "empty" };
                let said = format!("is not allowed to be {state}");
                let message = if word.is_empty() { said } else { word };
                Err(self.error(start, format!("`{name}`: {message}")))
            }
        }
    }

    /// `${name:0:3}` of other shells: no modifier of ours, but theirs if the name is not set and is
    /// left as it is. A `RUN` with it may open documents.
    fn slice(&mut self, start: usize, name: &str, modifier: char) -> Result<String, ExpandError> {
        let word = self.operand(start, '}', false)?;
        if self.look_up(name, start).is_none() && self.lexer.keep_unset {
            return Ok(format!("${{{name}:{modifier}{word}}}"));
        }
        Err(self.unsupported(start, &format!(":{modifier}")))
    }

    /// `#`, `##`, `%`, `%%`.
    fn trim(&mut self, start: usize, name: &str, modifier: char) -> Result<String, ExpandError> {
        let word = self.operand(start, '}', true)?;
        let value = match self.look_up(name, start) {
            Some(value) => value,
            None if self.lexer.keep_unset => return Ok(format!("${{{name}{modifier}{word}}}")),
            None => String::new(),
        };
        let (pattern, is_longest) =
            word.strip_prefix(modifier).map_or((word.as_str(), false), |rest| (rest, true));
        let pattern = Pattern::parse(pattern).map_err(|why| self.error(start, why))?;
        let rest = if modifier == '#' {
            pattern.without_prefix(&value, is_longest)
        } else {
            pattern.without_suffix(&value, is_longest)
        };
        rest.map_err(|why| self.error(start, why))
    }

    /// `/` and `//`.
    fn replace(&mut self, start: usize, name: &str) -> Result<String, ExpandError> {
        let everywhere = self.peek() == Some('/');
        if everywhere {
            self.next();
        }
        let pattern = self.operand(start, '/', true)?;
        let by = self.operand(start, '}', true)?;
        let value = match self.look_up(name, start) {
            Some(value) => value,
            None if self.lexer.keep_unset => return Ok(format!("${{{name}/{pattern}/{by}}}")),
            None => String::new(),
        };
        let pattern = Pattern::parse(&pattern).map_err(|why| self.error(start, why))?;
        let result = pattern.replace(&value, &by, everywhere);
        let result = result.map_err(|why| self.error(start, why))?;
        self.made(start, result.len())?;
        Ok(result)
    }

    fn operand(&mut self, start: usize, stop: char, raw: bool) -> Result<String, ExpandError> {
        match self.until(Some(stop), raw) {
            Ok((word, _)) => Ok(word),
            Err(_) if self.peek().is_none() && stop == '/' => {
                Err(self.help(start, "substitution has no second `/`", "write `${NAME/from/to}`"))
            }
            Err(_) if self.peek().is_none() => Err(self.unclosed(start)),
            Err(error) => Err(error),
        }
    }

    /// A name: letters, digits and `_`; or digits alone; or one of the shell's own, such as `$?`.
    fn name(&mut self) -> String {
        let start = self.at;
        match self.peek() {
            Some(c) if c.is_numeric() => {
                while self.peek().is_some_and(char::is_numeric) {
                    self.next();
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => {
                self.next();
            }
            _ => {
                while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    self.next();
                }
            }
        }
        self.text.get(start..self.at).unwrap_or_default().to_owned()
    }

    fn look_up(&mut self, name: &str, start: usize) -> Option<String> {
        if let Some(value) = self.variables.get(name) {
            self.matched.insert(name.to_owned());
            return Some(value.to_owned());
        }
        let span = Span::new(start, self.at);
        self.unmatched.push(Piece { text: name.to_owned(), span });
        None
    }

    fn help(&self, start: usize, message: &str, help: &str) -> ExpandError {
        ExpandError { help: Some(help.to_owned()), ..self.error(start, message) }
    }

    fn unclosed(&self, start: usize) -> ExpandError {
        self.help(start, "substitution has no closing `}`", "write `${NAME}`, or escape the `$`")
    }

    fn unsupported(&self, start: usize, modifier: &str) -> ExpandError {
        let message = format!("modifier `{modifier}` is not supported in a substitution");
        self.help(
            start,
            &message,
            "the modifiers are `:-` `:+` `:?` `-` `+` `?` `#` `##` `%` `%%` `/` `//`",
        )
    }
}
