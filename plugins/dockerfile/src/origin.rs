//! What `--from` means: a stage by name or index, an image, or nothing at all.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::expand::Lexer;
use crate::file::Stage;
use crate::image_name::is_reference;
use crate::step::Origin;
use crate::suggest::closest;
use crate::variables::Variables;
use crate::word::Word;

/// The stages of a file by name.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// In lower case, by index.
    names: Arc<[Option<String>]>,
    escape: char,
}

/// Why `--from` leads nowhere.
#[derive(Clone, Debug)]
pub(crate) enum Lost {
    /// Never.
    Wrong(Diagnostic),
    /// Only later stages have that name: wrong if the stage that asks is built.
    Later(Diagnostic),
}

impl Names {
    pub(crate) fn new(stages: &[Stage], escape: char) -> Self {
        let name = |stage: &Stage| {
            let name = stage.from.command.head()?.name.as_ref()?;
            Some(name.text.to_lowercase())
        };
        Self { names: stages.iter().map(name).collect(), escape }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        self.names.get(index)?.as_deref()
    }

    /// The last stage before `limit` of this name, in any case of letters.
    pub(crate) fn before(&self, limit: usize, name: &str) -> Option<usize> {
        let name = name.to_lowercase();
        let before = self.names.get(..limit.min(self.names.len())).unwrap_or_default();
        before.iter().rposition(|known| known.as_deref() == Some(name.as_str()))
    }

    /// All names.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().map(String::as_str)
    }

    /// What `from` means in stage `stage`.
    pub(crate) fn resolve(&self, from: &Word, stage: usize) -> Result<Origin, Lost> {
        let wrong = |message: String, help: String| {
            Lost::Wrong(Diagnostic::error(from.span, message).help(help))
        };
        let text = Lexer::new(self.escape).expand(&from.text, &Variables::default());
        if text.map(|expanded| expanded.text).as_deref() != Ok(from.text.as_str()) {
            return Err(wrong(
                "`from` takes no variables".to_owned(),
                "name a stage there, and use the variable in its `FROM`".to_owned(),
            ));
        }
        if let Ok(index) = from.text.parse::<i64>() {
            return self.index(from, index, stage);
        }
        if let Some(index) = self.before(stage, &from.text) {
            return Ok(Origin::Stage(index));
        }
        if let Some(index) = self.before(usize::MAX, &from.text) {
            return Err(Self::later(from, index, stage));
        }
        if from.text == "scratch" {
            return Ok(Origin::Empty);
        }
        if !is_reference(&from.text) {
            let message = format!("`{}` is neither a stage nor an image", from.text);
            let near = closest(&from.text, self.all());
            return Err(Lost::Wrong(Diagnostic::error(from.span, message).did_you_mean(near)));
        }
        Ok(Origin::Image(from.text.clone()))
    }

    fn index(&self, from: &Word, index: i64, stage: usize) -> Result<Origin, Lost> {
        match usize::try_from(index).ok().filter(|index| *index < self.names.len()) {
            Some(index) if index < stage => Ok(Origin::Stage(index)),
            Some(index) => Err(Self::later(from, index, stage)),
            None => {
                let last = self.names.len().saturating_sub(1);
                let message = format!("there is no stage {index}, the last one is {last}");
                Err(Lost::Wrong(Diagnostic::error(from.span, message)))
            }
        }
    }

    fn later(from: &Word, index: usize, stage: usize) -> Lost {
        if index == stage {
            let message = format!("stage `{}` needs itself", from.text);
            return Lost::Wrong(Diagnostic::error(from.span, message));
        }
        let message = format!("stage `{}` comes later in the file", from.text);
        let problem = Diagnostic::error(from.span, message).help("move it above this stage");
        Lost::Later(problem)
    }
}

impl Lost {
    pub(crate) fn into_problem(self) -> Diagnostic {
        match self {
            Self::Wrong(problem) | Self::Later(problem) => problem,
        }
    }
}
