//! Diagnostics and faults as text for a terminal or a log.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{Diagnostic, Fault, Severity, Source, Span};

/// Whether colour codes are written; colour never carries a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape codes.
    Plain,
    /// ANSI colours.
    Coloured,
}

/// `diagnostic` with its source line and a caret, without a final newline.
pub fn render_diagnostic(diagnostic: &Diagnostic, style: Style) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let labels: Vec<(Span, &str)> =
        diagnostic.labels.iter().map(|label| (label.span, label.text.as_str())).collect();
    let help = diagnostic.help.iter().map(|text| (Level::HELP, text.as_str()));
    let notes = diagnostic.notes.iter().map(|text| (Level::NOTE, text.as_str()));
    let messages: Vec<_> = help.chain(notes).collect();
    render(level, &diagnostic.message, diagnostic.source.as_ref(), &labels, &messages, style)
}

/// `fault` as `title`, with the place in the pipeline file that it belongs to, if any.
///
/// `title` says which step failed; without one the fault's own message is the title.
pub fn render_fault(
    title: Option<&str>,
    fault: &Fault,
    place: Option<(&Source, Span)>,
    style: Style,
) -> String {
    let cause = || Level::NOTE.with_name("cause");
    let mut messages = Vec::new();
    if title.is_some() {
        messages.push((cause(), fault.message.as_str()));
    }
    messages.extend(fault.causes.iter().map(|text| (cause(), text.as_str())));
    messages.extend(fault.help.iter().map(|text| (Level::HELP, text.as_str())));
    let labels: Vec<(Span, &str)> = place.iter().map(|&(_, span)| (span, "")).collect();
    let title = title.unwrap_or(&fault.message);
    render(Level::ERROR, title, place.map(|(source, _)| source), &labels, &messages, style)
}

fn render(
    level: Level<'_>,
    title: &str,
    source: Option<&Source>,
    labels: &[(Span, &str)],
    messages: &[(Level<'_>, &str)],
    style: Style,
) -> String {
    let mut group = Group::with_title(level.primary_title(title));
    if let (Some(source), false) = (source, labels.is_empty()) {
        let annotations = labels.iter().enumerate().map(|(index, &(span, text))| {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(clamp(span, source.text()));
            if text.is_empty() { annotation } else { annotation.label(text) }
        });
        group = group.element(
            Snippet::source(source.text())
                .path(source.label())
                .annotations(annotations.collect::<Vec<_>>()),
        );
    }
    group = group.elements(messages.iter().map(|(level, text)| level.clone().message(*text)));
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    renderer.render(&[group])
}

/// A span that lies in `text` and on character boundaries, whatever the caller computed.
fn clamp(span: Span, text: &str) -> std::ops::Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn a_diagnostic_shows_line_caret_and_help() {
        let source = Source::new("import.toml", "id = \"a\"\nsorce = \"x\"\n");
        let problem = Diagnostic::error("unknown input `sorce` for plugin `import-image`")
            .at(&source, Span::new(9, 14), "not an input of `import-image`")
            .help("did you mean `source`?");
        snapbox::assert_data_eq!(
            render_diagnostic(&problem, Style::Plain),
            snapbox::str![[r#"
error: unknown input `sorce` for plugin `import-image`
 --> import.toml:2:1
  |
2 | sorce = "x"
  | ^^^^^ not an input of `import-image`
  |
  = help: did you mean `source`?
"#]]
        );
    }

    #[test]
    fn a_fault_shows_its_causes_from_the_outside_in() {
        let fault = Fault::new(Kind::Unauthorized, "the registry refused the push")
            .cause("PUT https://r.example/v2/a/manifests/1: 401 UNAUTHORIZED")
            .help("add `[registries.\"r.example\"]` with a username and a password");
        let source = Source::new("p.toml", "id = \"import\"\n");
        snapbox::assert_data_eq!(
            render_fault(
                Some("step `import` failed"),
                &fault,
                Some((&source, Span::new(5, 13))),
                Style::Plain
            ),
            snapbox::str![[r#"
error: step `import` failed
 --> p.toml:1:6
  |
1 | id = "import"
  |      ^^^^^^^^
  |
  = cause: the registry refused the push
  = cause: PUT https://r.example/v2/a/manifests/1: 401 UNAUTHORIZED
  = help: add `[registries."r.example"]` with a username and a password
"#]]
        );
    }

    #[test]
    fn a_span_outside_the_text_does_not_panic() {
        let source = Source::new("p", "é");
        let problem = Diagnostic::error("x").at(&source, Span::new(1, 900), "here");
        render_diagnostic(&problem, Style::Plain);
    }
}
