//! `.dockerignore`: which files of a context a build never sees.
//!
//! The rules are those of moby/patternmatcher as BuildKit's walk uses it. The last rule that matches
//! a path, or matched a directory above it, decides; a rule with `!` takes back. `**` stands for any
//! number of directories, none too. A leading `/`, a trailing `/` and `./` mean nothing.
//!
//! ```text
//! # secrets, wherever they are
//! **/.env
//! build
//! !build/keep
//! ```
//!
//! A walk asks for each name once: [`Ignore::root`], then [`Ignore::child`] for what is in a directory
//! that was not dropped as a whole. [`Verdict::DropTree`] is exact: it says that no rule with `!` can
//! match anything below.
//!
//! The differences are on purpose: where Docker's documentation says what we do, and the regular
//! expressions of its program do something else. `\d` is the letter and not any digit, `[*]` is the
//! character `*`, and `^` in `^a*` is itself.

pub(crate) mod glob;
mod lines;

use std::ffi::OsStr;
use std::path::{Component, Path};

pub use glob::BadPattern;
use glob::{Glob, States};

/// The rules of one ignore file, or of the `--exclude` flags of one instruction, in order.
#[derive(Clone, Debug)]
pub struct Ignore {
    label: String,
    rules: Vec<Rule>,
    has_exceptions: bool,
}

/// One rule, as it was written.
#[derive(Clone, Debug)]
pub struct Rule {
    line: usize,
    text: String,
    is_exception: bool,
    glob: Glob,
}

/// What happens to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The build sees it.
    Keep,
    /// The build does not see it; of a directory: unless something below is kept.
    Drop,
    /// The build sees neither this directory nor anything below.
    DropTree,
}

/// How far a walk has come: a directory, and what each rule has to say about its children.
#[derive(Clone, Debug)]
pub struct Place {
    progress: Vec<Progress>,
}

/// What is said about a child of a [`Place`].
#[derive(Clone, Debug)]
pub struct Judgement {
    /// What happens to it.
    pub verdict: Verdict,
    /// The rule that decided: an index for [`Ignore::rule`]. `None` if no rule matched.
    pub rule: Option<usize>,
    /// Where the walk goes on; `None` for what is no directory.
    pub place: Option<Place>,
}

/// An ignore file is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// A rule is no pattern.
    #[error("{label}:{line}: `{pattern}` is not a pattern")]
    Pattern {
        /// The file, or what else the rules are from.
        label: String,
        /// From 1.
        line: usize,
        /// As written.
        pattern: String,
        /// Why.
        source: BadPattern,
    },
    /// A line is longer than Docker reads.
    #[error("{label}:{line}: the line has {length} bytes, at most 65535 can be read")]
    LineTooLong {
        /// The file.
        label: String,
        /// From 1.
        line: usize,
        /// In bytes.
        length: usize,
    },
}

#[derive(Clone, Debug)]
enum Progress {
    /// It matched this directory or one above it: it matches everything below.
    Matched,
    /// It has not, so far.
    Open(States),
}

impl Ignore {
    /// Reads an ignore file. `label` is what messages call it; `text` need not be UTF-8.
    ///
    /// # Errors
    /// The first line that is no pattern, with its number.
    pub fn parse(label: &str, text: impl AsRef<[u8]>) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        for line in lines::read(label, text.as_ref())? {
            rules.extend(rule(label, line.number, line.text, &line.pattern)?);
        }
        Ok(Self::new(label, rules))
    }

    /// The patterns of `--exclude`, which are not cleaned like lines of a file: a leading `/` counts.
    ///
    /// # Errors
    /// The first that is no pattern; its line is its place among them, from 1.
    pub fn from_patterns<'a>(
        label: &str,
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        for (index, pattern) in patterns.into_iter().enumerate() {
            rules.extend(rule(label, index + 1, pattern.to_owned(), pattern.as_bytes())?);
        }
        Ok(Self::new(label, rules))
    }

    fn new(label: &str, rules: Vec<Rule>) -> Self {
        let has_exceptions = rules.iter().any(|rule| rule.is_exception);
        Self { label: label.to_owned(), rules, has_exceptions }
    }

    /// What messages call it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule takes something back.
    pub fn has_exceptions(&self) -> bool {
        self.has_exceptions
    }

    /// The rule that a [`Judgement`] names.
    pub fn rule(&self, index: usize) -> Option<&Rule> {
        self.rules.get(index)
    }

    /// Where a walk begins: the root, which no rule can drop.
    pub fn root(&self) -> Place {
        let progress = self.rules.iter().map(|rule| Progress::Open(rule.glob.start())).collect();
        Place { progress }
    }

    /// What happens to the child `name` of the directory at `place`.
    pub fn child(&self, place: &Place, name: &OsStr, is_dir: bool) -> Judgement {
        let name = name.as_encoded_bytes();
        let mut dropped = false;
        let mut decided = None;
        let mut below = Vec::with_capacity(if is_dir { self.rules.len() } else { 0 });
        for (index, (rule, progress)) in self.rules.iter().zip(&place.progress).enumerate() {
            let mut next = Progress::Matched;
            let matches = match progress {
                Progress::Matched => true,
                // A rule that could change nothing is not looked at, and is then not handed down
                // to the children either: so does patternmatcher, and it shows.
                Progress::Open(states) => {
                    let matters = rule.is_exception == dropped;
                    if !matters && !is_dir {
                        continue;
                    }
                    let states = rule.glob.after(states, name);
                    let matches = matters && rule.glob.accepts(&states);
                    if is_dir && !matches {
                        next = Progress::Open(rule.glob.after(&states, b"/"));
                    }
                    matches
                }
            };
            if matches {
                dropped = !rule.is_exception;
                decided = Some(index);
            }
            if is_dir {
                below.push(next);
            }
        }
        let verdict = match (dropped, is_dir) {
            (false, _) => Verdict::Keep,
            (true, false) => Verdict::Drop,
            (true, true) if self.may_keep_below(decided, &below) => Verdict::Drop,
            (true, true) => Verdict::DropTree,
        };
        let place = is_dir.then_some(Place { progress: below });
        Judgement { verdict, rule: decided, place }
    }

    /// What happens to `path`, relative to the root of the context.
    pub fn verdict(&self, path: &Path, is_dir: bool) -> Verdict {
        self.judge(path, is_dir).verdict
    }

    /// What happens to `path`, and why. Components such as `..` are not looked at.
    pub fn judge(&self, path: &Path, is_dir: bool) -> Judgement {
        let mut judgement =
            Judgement { verdict: Verdict::Keep, rule: None, place: Some(self.root()) };
        let mut names = path
            .components()
            .filter_map(|component| match component {
                Component::Normal(name) => Some(name),
                Component::Prefix(_)
                | Component::RootDir
                | Component::CurDir
                | Component::ParentDir => None,
            })
            .peekable();
        while let (Some(name), Some(place)) = (names.next(), &judgement.place) {
            judgement = self.child(place, name, is_dir || names.peek().is_some());
        }
        judgement
    }

    /// Whether a rule with `!` can match below a directory that the rule `decided` dropped.
    ///
    /// Exceptions before that rule do not count: it matches everything below, and comes later.
    fn may_keep_below(&self, decided: Option<usize>, below: &[Progress]) -> bool {
        let after = decided.map_or(0, |index| index + 1);
        self.rules.iter().zip(below).skip(after).any(|(rule, progress)| {
            rule.is_exception
                && match progress {
                    Progress::Matched => true,
                    Progress::Open(states) => !states.is_dead(),
                }
        })
    }
}

impl Rule {
    /// The line it is on, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// As it was written, without space around it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it begins with `!`.
    pub fn is_exception(&self) -> bool {
        self.is_exception
    }
}

/// One rule of a pattern; none of an empty one.
fn rule(
    label: &str,
    line: usize,
    text: String,
    pattern: &[u8],
) -> Result<Option<Rule>, IgnoreError> {
    let pattern = lines::trim(pattern);
    if pattern.is_empty() {
        return Ok(None);
    }
    let pattern = lines::clean(pattern);
    let exception = pattern.strip_prefix(b"!");
    let glob = match exception {
        Some([]) => Err(BadPattern::LoneException),
        Some(pattern) => Glob::rule(pattern),
        None => Glob::rule(&pattern),
    };
    match glob {
        Ok(glob) => Ok(Some(Rule { line, text, is_exception: exception.is_some(), glob })),
        Err(source) => {
            Err(IgnoreError::Pattern { label: label.to_owned(), line, pattern: text, source })
        }
    }
}

#[cfg(test)]
mod tests;
