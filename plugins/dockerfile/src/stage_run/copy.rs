//! `COPY` and `ADD`.

use super::StageRun;
use super::metadata::Done;
use crate::chmod::is_mode;
use crate::diagnostic::Diagnostic;
use crate::expand::Lexer;
use crate::git::classify;
use crate::instruction::{Add, Copy, Instruction, PathSource, Paths};
use crate::origin::Lost;
use crate::path::join_destination;
use crate::source::Span;
use crate::step::{Action, AddStep, CopySource, CopyStep, Origin};
use crate::word::Word;

/// Sources and destination, expanded.
struct Expanded {
    sources: Vec<CopySource>,
    /// As the history has it.
    said: String,
    destination: String,
}

/// `--chown` and `--chmod`, expanded.
struct Owner {
    chown: Option<String>,
    chmod: Option<String>,
    said: String,
}

impl StageRun {
    pub(super) fn copy(
        &mut self,
        copy: &Copy,
        instruction: &Instruction,
    ) -> Result<Done, Diagnostic> {
        let origin = match &copy.from {
            Some(from) => self.names.resolve(from, self.stage).map_err(Lost::into_problem)?,
            None => Origin::Context,
        };
        let owner = self.owner(copy.chown.as_ref(), copy.chmod.as_ref())?;
        let files = self.paths(&copy.paths, instruction)?;
        for (source, word) in sources_with_words(&files.sources, &copy.paths) {
            let what = match source {
                CopySource::Url(_) => "a URL",
                CopySource::Git(_) => "a repository",
                CopySource::Path(_) | CopySource::Inline { .. } => continue,
            };
            let problem = Diagnostic::error(word.span, format!("source of COPY is {what}"));
            return Err(problem.help("write `ADD`"));
        }
        let parents = if copy.parents { " --parents" } else { "" };
        let created_by = format!("COPY{parents}{}{} # buildkit", owner.said, files.said);
        let step = CopyStep {
            origin,
            sources: files.sources,
            destination: files.destination,
            chown: owner.chown,
            chmod: owner.chmod,
            link: copy.link,
            parents: copy.parents,
            exclude: copy.exclude.iter().map(|word| word.text.clone()).collect(),
        };
        let created_by = Some(created_by);
        Ok(Done { action: Action::Copy(step), created_by, has_layer: true })
    }

    pub(super) fn add(&mut self, add: &Add, instruction: &Instruction) -> Result<Done, Diagnostic> {
        let owner = self.owner(add.chown.as_ref(), add.chmod.as_ref())?;
        let checksum = self.expand_maybe(add.checksum.as_ref())?;
        let files = self.paths(&add.paths, instruction)?;
        if let (Some(word), Some(_)) = (&add.checksum, &checksum) {
            check_checksum(word.span, &files.sources)?;
        }
        let created_by = Some(format!("ADD{}{} # buildkit", owner.said, files.said));
        let step = AddStep {
            sources: files.sources,
            destination: files.destination,
            chown: owner.chown,
            chmod: owner.chmod,
            link: add.link,
            exclude: add.exclude.iter().map(|word| word.text.clone()).collect(),
            checksum,
            keep_git_dir: add.keep_git_dir,
            unpack: add.unpack,
        };
        Ok(Done { action: Action::Add(step), created_by, has_layer: true })
    }

    fn owner(&mut self, chown: Option<&Word>, chmod: Option<&Word>) -> Result<Owner, Diagnostic> {
        let chown = self.expand_maybe(chown)?;
        let mode = self.expand_maybe(chmod)?;
        if let Some(wrong) = mode.as_ref().filter(|mode| !is_mode(mode)) {
            let span = chmod.map(|word| word.span).unwrap_or_default();
            return Err(Diagnostic::error(
                span,
                format!("`--chmod` is `{wrong}`, which is no mode"),
            )
            .help("write octal digits such as `0755`, or words such as `u=rwX,go=rX`"));
        }
        let flag = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!(" --{name}={value}")).unwrap_or_default()
        };
        let said = format!("{}{}", flag("chown", &chown), flag("chmod", &mode));
        Ok(Owner { chown, chmod: mode, said })
    }

    /// Paths come before documents, whatever their order, as they do in BuildKit.
    fn paths(&mut self, paths: &Paths, instruction: &Instruction) -> Result<Expanded, Diagnostic> {
        let (mut sources, mut documents) = (Vec::new(), Vec::new());
        let mut said = String::new();
        for source in &paths.sources {
            match source {
                PathSource::Path(word) => {
                    let path = self.expand(word)?;
                    said.push(' ');
                    said.push_str(&path);
                    sources.push(classify(&path));
                }
                PathSource::Heredoc(index) => documents.push(*index),
            }
        }
        let destination = self.expand(&paths.destination)?;
        for heredoc in documents.iter().filter_map(|index| instruction.heredocs.get(*index)) {
            let mut content = heredoc.chomped();
            if heredoc.expand {
                // Quotes are text there, and only `\` escapes.
                let lexer = Lexer { plain_quotes: true, ..Lexer::new('\\') };
                content = self.expand_with(lexer, &Word::new(content, heredoc.span))?.text;
            }
            let name = heredoc.name.text.clone();
            said.push_str(" <<");
            said.push_str(&name);
            sources.push(CopySource::Inline { name, content });
        }
        said.push(' ');
        said.push_str(&destination);
        let destination = join_destination(self.working_dir(), &destination);
        Ok(Expanded { sources, said, destination })
    }
}

/// Each path with the word it was made of.
fn sources_with_words<'a>(
    sources: &'a [CopySource],
    paths: &'a Paths,
) -> impl Iterator<Item = (&'a CopySource, &'a Word)> {
    let words = paths.sources.iter().filter_map(|source| match source {
        PathSource::Path(word) => Some(word),
        PathSource::Heredoc(_) => None,
    });
    sources.iter().zip(words)
}

fn check_checksum(span: Span, sources: &[CopySource]) -> Result<(), Diagnostic> {
    let paths: Vec<&CopySource> =
        sources.iter().filter(|source| !matches!(source, CopySource::Inline { .. })).collect();
    match paths.as_slice() {
        [CopySource::Url(_) | CopySource::Git(_)] => Ok(()),
        [_] => Err(Diagnostic::error(span, "checksum of what is neither a URL nor a repository")
            .help("leave it out: files of the context are what they are")),
        _ => {
            Err(Diagnostic::error(span, "checksum of several sources")
                .help("write one ADD for each"))
        }
    }
}
