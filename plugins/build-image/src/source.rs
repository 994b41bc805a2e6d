//! The Dockerfile of a step, and how its problems are shown.

use std::sync::Arc;

use dockerfile::{Diagnostic, Dockerfile, Source};
use windlass_plugin::build::Context;
use windlass_plugin::{Error, Result, log};

use crate::inputs::Inputs;

/// Problems that are shown of one file; the rest are counted.
const MOST_SHOWN: usize = 20;

/// A Dockerfile, and what people know it by.
#[derive(Debug, Clone)]
pub struct Script {
    /// `Dockerfile`, or `dockerfile` for one that the pipeline holds.
    pub name: String,
    /// Parsed.
    pub file: Arc<Dockerfile>,
    source: Source,
}

impl Script {
    /// Reads the Dockerfile that `inputs` names, and lets the context ignore what it says.
    ///
    /// # Errors
    /// `not-found.build` where there is none; `invalid.dockerfile` with every problem of it.
    pub fn read(inputs: &Inputs, context: &Context) -> Result<Self> {
        let (name, text) = match &inputs.dockerfile {
            Some(text) => ("dockerfile".to_owned(), text.clone()),
            None => (inputs.file.clone(), read(inputs, context)?),
        };
        ignore(inputs, context)?;
        let source = Source::new(text.as_str());
        let file = match dockerfile::parse(&text) {
            Ok(file) => Arc::new(file),
            Err(problems) => return Err(refused(&name, &source, &problems)),
        };
        Ok(Self { name, file, source })
    }

    /// The error that these problems are.
    #[must_use]
    pub fn error(&self, problems: &[Diagnostic]) -> Error {
        refused(&self.name, &self.source, problems)
    }

    /// `error`, which came of the instruction at `span`, with the place and the line.
    #[must_use]
    pub fn at(&self, span: dockerfile::Span, error: Error) -> Error {
        let place = self.source.position(span.start);
        error.during(format!("{}:{}:{}", self.name, place.line, place.column))
    }

    /// Says the warnings; how many there were.
    pub fn warn(&self, warnings: &[Diagnostic]) -> u32 {
        for warning in warnings.iter().take(MOST_SHOWN) {
            log::warn!("{}", warning.render(&self.name, &self.source));
        }
        if warnings.len() > MOST_SHOWN {
            log::warn!("{} more warnings", warnings.len() - MOST_SHOWN);
        }
        u32::try_from(warnings.len()).unwrap_or(u32::MAX)
    }
}

fn read(inputs: &Inputs, context: &Context) -> Result<String> {
    let bytes = context.read(&inputs.file)?.ok_or_else(|| {
        Error::new(
            "not-found.build",
            format!("there is no `{}` in the context `{}`", inputs.file, inputs.context),
        )
        .hint("name it with `file`, or give its text as `dockerfile`")
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Error::new("invalid.dockerfile", format!("`{}` is not UTF-8 text", inputs.file))
    })
}

/// Lets the context ignore what its ignore file says: `<Dockerfile>.dockerignore` goes before
/// `.dockerignore`.
///
/// # Errors
/// `invalid.build` for a file that is none.
pub fn ignore(inputs: &Inputs, context: &Context) -> Result<()> {
    let own = format!("{}.dockerignore", inputs.file);
    let names = match &inputs.dockerfile {
        Some(_) => vec![".dockerignore"],
        None => vec![own.as_str(), ".dockerignore"],
    };
    for name in names {
        if let Some(bytes) = context.read(name)? {
            let text = String::from_utf8(bytes)
                .map_err(|_| Error::new("invalid.build", format!("`{name}` is not UTF-8 text")))?;
            return context.ignore(name, &text);
        }
    }
    Ok(())
}

fn refused(name: &str, source: &Source, problems: &[Diagnostic]) -> Error {
    let shown: Vec<String> =
        problems.iter().take(MOST_SHOWN).map(|problem| problem.render(name, source)).collect();
    let more = problems.len().saturating_sub(MOST_SHOWN);
    let more = if more > 0 { format!("\n{more} more problems") } else { String::new() };
    Error::new(
        "invalid.dockerfile",
        format!("`{name}` cannot be built\n{}{more}", shown.join("\n")),
    )
}
