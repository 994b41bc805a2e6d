//! What a run of the binary left behind.

use serde_json::Value;
use snapbox::{Assert, Redactions};

/// How the binary ended and what it printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it was called, for messages.
    pub(crate) shown: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    pub(crate) redactions: Redactions,
}

impl Output {
    /// Checks the exit code.
    ///
    /// # Panics
    /// It is another one; the message holds all that was printed.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.account());
        self
    }

    /// Compares standard error with `expected`, times, ports, ids and folders redacted.
    ///
    /// # Panics
    /// It is different.
    #[track_caller]
    pub fn stderr_is(&self, expected: impl snapbox::IntoData) -> &Self {
        // Whether a plugin was compiled depends on what ran before.
        let is_note = |line: &&str| line.starts_with("compiled `file:");
        let text: String =
            self.stderr.split_inclusive('\n').filter(|line| !is_note(line)).collect();
        self.compare(&text, expected);
        self
    }

    /// Compares standard output, as [`Self::stderr_is`].
    ///
    /// # Panics
    /// It is different.
    #[track_caller]
    pub fn stdout_is(&self, expected: impl snapbox::IntoData) -> &Self {
        self.compare(&self.stdout, expected);
        self
    }

    /// Checks that standard error says all of `parts`: for messages whose other parts belong to the
    /// operating system or to a library.
    ///
    /// # Panics
    /// It does not say one of them.
    #[track_caller]
    pub fn stderr_says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "stderr lacks {part:?}\n{}", self.account());
        }
        self
    }

    /// The lines of standard output, each a JSON object.
    ///
    /// # Panics
    /// One is not.
    #[track_caller]
    pub fn ndjson(&self) -> Vec<Value> {
        let parse = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(value) if value.is_object() => value,
            _ => panic!("no JSON object: {line}\n{}", self.account()),
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The events of one name, in their order.
    #[track_caller]
    pub fn events(&self, name: &str) -> Vec<Value> {
        let mut events = self.ndjson();
        events.retain(|event| event.get("event").is_some_and(|found| found == name));
        events
    }

    /// The `step-finished` event of a step.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    pub fn finished(&self, step: &str) -> Value {
        let found = self
            .events("step-finished")
            .into_iter()
            .find(|event| event.get("step").is_some_and(|found| found == step));
        found.unwrap_or_else(|| panic!("`{step}` did not finish\n{}", self.account()))
    }

    /// What was printed, for a message.
    pub fn account(&self) -> String {
        let Self { shown, code, stdout, stderr, .. } = self;
        format!("{shown}: {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }

    #[track_caller]
    fn compare(&self, actual: &str, expected: impl snapbox::IntoData) {
        Assert::new()
            .action_env(snapbox::assert::DEFAULT_ACTION_ENV)
            .redact_with(self.redactions.clone())
            .eq(actual.to_owned(), expected.into_data());
    }
}
