//! Tables of a TOML document, read key by key, with every problem collected.
//!
//! A deserializer stops at the first problem; a person who wrote three wrong keys wants to hear of
//! three. So the document is walked here: [`Reader::open`] takes a table and the keys it may have,
//! reports the others, and the methods of [`Table`] take one key each and report its type.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use report::{Diagnostic, Source, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::at::{At, Entries};
use crate::schema::Tree;
use crate::{limits, problem, unit};

/// A value of the document, with its place.
pub(crate) type Item<'d> = Spanned<DeValue<'d>>;

/// The document's text, and what is wrong with it so far.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Source,
    problems: RefCell<Vec<Diagnostic>>,
    /// Places that hold what should have been a secret.
    exposed: RefCell<Vec<Span>>,
}

/// A table whose keys are known.
pub(crate) struct Table<'a> {
    reader: &'a Reader<'a>,
    fields: BTreeMap<&'a str, (Span, &'a Item<'a>)>,
    /// How messages call it: `` `[pipeline]` ``.
    what: &'static str,
    pub(crate) span: Span,
    keys: &'static [&'static str],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        Self { source, problems: RefCell::default(), exposed: RefCell::default() }
    }

    /// The problems, none of which shows a line with what should have been a secret.
    pub(crate) fn into_problems(self) -> Vec<Diagnostic> {
        let mut problems = self.problems.into_inner();
        let exposed = self.exposed.into_inner();
        if exposed.is_empty() {
            return problems;
        }
        let mut text = self.source.text().to_owned();
        for span in exposed {
            let stars = "*".repeat(span.end.saturating_sub(span.start));
            text.replace_range(span.start..span.end, &stars);
        }
        let masked = Source::new(self.source.label(), text);
        for problem in problems.iter_mut().filter(|problem| problem.source.is_some()) {
            problem.source = Some(masked.clone());
        }
        problems
    }

    /// Keeps what stands at `span` out of every message.
    pub(crate) fn mask(&self, span: Span) {
        self.exposed.borrow_mut().push(span);
    }

    pub(crate) fn report(&self, problem: Diagnostic) {
        self.problems.borrow_mut().push(problem);
    }

    /// Reads `item` as a table with `keys`; reports any other key.
    pub(crate) fn open(
        &'a self,
        item: &'a Item<'a>,
        what: &'static str,
        keys: &'static [&'static str],
    ) -> Option<Table<'a>> {
        let DeValue::Table(table) = item.get_ref() else {
            self.report(self.wrong_type(what, item, "a table"));
            return None;
        };
        Some(self.open_table(table, span(item), what, keys))
    }

    pub(crate) fn open_table(
        &'a self,
        table: &'a DeTable<'a>,
        at: Span,
        what: &'static str,
        keys: &'static [&'static str],
    ) -> Table<'a> {
        let mut fields = BTreeMap::new();
        for (key, value) in table {
            let place = key.span().into();
            if keys.contains(&key.get_ref().as_ref()) {
                fields.insert(key.get_ref().as_ref(), (place, value));
            } else {
                self.report(problem::unknown_key(self.source, place, key.get_ref(), what, keys));
            }
        }
        Table { reader: self, fields, what, span: at, keys }
    }

    /// The entries of a table whose keys a person chose, in the order of the file.
    pub(crate) fn entries(
        &'a self,
        item: &'a Item<'a>,
        what: &str,
    ) -> Vec<(At<String>, &'a Item<'a>)> {
        let DeValue::Table(table) = item.get_ref() else {
            self.report(self.wrong_type(what, item, "a table"));
            return Vec::new();
        };
        let mut entries: Vec<_> = table
            .iter()
            .map(|(key, value)| (At::new(key.get_ref().to_string(), key.span().into()), value))
            .collect();
        entries.sort_by_key(|(key, _)| key.span);
        entries
    }

    /// The items of a list.
    pub(crate) fn items(&'a self, item: &'a Item<'a>, what: &str) -> Option<&'a [Item<'a>]> {
        if let DeValue::Array(items) = item.get_ref() {
            return Some(items);
        }
        self.report(self.wrong_type(what, item, "a list"));
        None
    }

    pub(crate) fn text(&self, item: &Item<'_>, what: &str, expected: &str) -> Option<At<String>> {
        let DeValue::String(text) = item.get_ref() else {
            self.report(self.wrong_type(what, item, expected));
            return None;
        };
        if text.len() > limits::STRING_BYTES {
            self.report(problem::string_too_long(self.source, span(item), what, text.len()));
            return None;
        }
        Some(At::new(text.to_string(), span(item)))
    }

    pub(crate) fn texts(&'a self, item: &'a Item<'a>, what: &str) -> Vec<At<String>> {
        let items = self.items(item, what).unwrap_or_default();
        items.iter().filter_map(|item| self.text(item, what, "a list of strings")).collect()
    }

    /// Any value; `what` is for messages.
    pub(crate) fn tree(&'a self, item: &'a Item<'a>, what: &str, depth: usize) -> Option<At<Tree>> {
        if depth > limits::DEPTH {
            self.report(problem::too_deep(self.source, span(item), what));
            return None;
        }
        let tree = match item.get_ref() {
            DeValue::String(_) => Tree::Text(self.text(item, what, "a string")?.value),
            DeValue::Boolean(value) => Tree::Boolean(*value),
            DeValue::Integer(_) => Tree::Integer(self.integer(item, what, "a whole number")?),
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(value) if value.is_finite() => Tree::Float(value),
                _ => {
                    self.report(self.wrong_type(what, item, "a finite number"));
                    return None;
                }
            },
            DeValue::Datetime(date) => Tree::Text(date.to_string()),
            DeValue::Array(items) => Tree::List(
                items.iter().filter_map(|item| self.tree(item, what, depth + 1)).collect(),
            ),
            DeValue::Table(_) => Tree::Table(Entries(
                self.entries(item, what)
                    .into_iter()
                    .filter_map(|(key, item)| Some((key, self.tree(item, what, depth + 1)?)))
                    .collect(),
            )),
        };
        Some(At::new(tree, span(item)))
    }

    fn integer(&self, item: &Item<'_>, what: &str, expected: &str) -> Option<i64> {
        let integer = item.get_ref().as_integer();
        let value = integer.and_then(|i| i64::from_str_radix(i.as_str(), i.radix()).ok());
        if value.is_none() {
            self.report(self.wrong_type(what, item, expected));
        }
        value
    }

    /// `what` is `item`, which is not what was expected.
    pub(crate) fn wrong_type(&self, what: &str, item: &Item<'_>, expected: &str) -> Diagnostic {
        let place = span(item);
        let raw = self.source.text().get(place.start..place.end).unwrap_or_default();
        let found = match item.get_ref() {
            DeValue::Table(_) => "a table".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => format!("`{}`", crate::template::shorten(raw)),
        };
        problem::wrong_type(self.source, place, what, &found, expected)
    }
}

impl<'a> Table<'a> {
    /// The value at `key`, which must be one of the table's keys.
    pub(crate) fn item(&self, key: &'static str) -> Option<&'a Item<'a>> {
        debug_assert!(self.keys.contains(&key), "`{key}` is not among the keys of {}", self.what);
        self.fields.get(key).map(|&(_, item)| item)
    }

    /// The place of `key` itself.
    pub(crate) fn key_span(&self, key: &str) -> Option<Span> {
        self.fields.get(key).map(|&(span, _)| span)
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<At<String>> {
        self.reader.text(self.item(key)?, &name(key), "a string")
    }

    /// A string that must be there; empty after the problem is reported.
    pub(crate) fn required_text(&self, key: &'static str, example: &str) -> At<String> {
        if self.item(key).is_none() {
            let problem =
                problem::missing_key(self.reader.source, self.span, key, self.what, example);
            self.reader.report(problem);
        }
        self.text(key).unwrap_or_else(|| At::new(String::new(), self.span))
    }

    pub(crate) fn texts(&self, key: &'static str) -> Option<At<Vec<At<String>>>> {
        let item = self.item(key)?;
        Some(At::new(self.reader.texts(item, &name(key)), span(item)))
    }

    pub(crate) fn boolean(&self, key: &'static str) -> Option<At<bool>> {
        let item = self.item(key)?;
        if let DeValue::Boolean(value) = item.get_ref() {
            return Some(At::new(*value, span(item)));
        }
        self.reader.report(self.reader.wrong_type(&name(key), item, "`true` or `false`"));
        None
    }

    pub(crate) fn integer(&self, key: &'static str) -> Option<At<i64>> {
        let item = self.item(key)?;
        let value = self.reader.integer(item, &name(key), "a whole number")?;
        Some(At::new(value, span(item)))
    }

    pub(crate) fn duration(&self, key: &'static str) -> Option<At<Duration>> {
        let item = self.item(key)?;
        let text = self.reader.text(item, &name(key), "a duration such as `\"90s\"`")?;
        match unit::parse_duration(&text.value) {
            Ok(duration) => Some(At::new(duration, text.span)),
            Err(error) => {
                let source = self.reader.source;
                self.reader.report(problem::wrong_duration(source, &text, key, &error));
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<At<T>> {
        self.reader.word(self.item(key)?, &name(key), words)
    }

    pub(crate) fn tree(&self, key: &'static str) -> Option<At<Tree>> {
        self.reader.tree(self.item(key)?, &name(key), 0)
    }

    /// A table with known keys.
    pub(crate) fn table(
        &self,
        key: &'static str,
        what: &'static str,
        keys: &'static [&'static str],
    ) -> Option<Self> {
        self.reader.open(self.item(key)?, what, keys)
    }
}

impl<'a> Reader<'a> {
    /// `item` as one of `words`.
    pub(crate) fn word<T: Copy>(
        &self,
        item: &'a Item<'a>,
        what: &str,
        words: &[(&str, T)],
    ) -> Option<At<T>> {
        let names: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        let text = self.text(item, what, &report::or_list(&names))?;
        let found = words.iter().find(|&&(word, _)| word == text.value);
        if found.is_none() {
            self.report(problem::unknown_word(self.source, &text, what, &names));
        }
        found.map(|&(_, value)| At::new(value, text.span))
    }
}

/// Where `item` stands.
pub(crate) fn span(item: &Item<'_>) -> Span {
    item.span().into()
}

/// A key as messages call it.
fn name(key: &str) -> String {
    format!("`{key}`")
}
