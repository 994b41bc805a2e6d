//! The shell form and the exec form.

use super::StageRun;
use crate::instruction::CommandLine;

impl StageRun {
    /// What is executed: the shell form below the shell of the moment, the exec form as it is.
    pub(super) fn argv(&self, line: &CommandLine) -> Vec<String> {
        match line {
            CommandLine::Shell(word) => self.in_shell(word.text.clone()),
            CommandLine::Exec(words) => words.iter().map(|word| word.text.clone()).collect(),
        }
    }

    pub(super) fn in_shell(&self, text: String) -> Vec<String> {
        let shell = self.state.config.shell.clone().filter(|shell| !shell.is_empty());
        let mut argv = shell.unwrap_or_else(|| ["/bin/sh", "-c"].map(str::to_owned).to_vec());
        argv.push(text);
        argv
    }
}
