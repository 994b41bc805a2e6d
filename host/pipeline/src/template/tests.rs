use serde_json::json;

use super::*;

fn text(raw: &str, value: &str) -> Text {
    let source = Source::new("p.toml", format!("key = {raw}\n"));
    Text::compile(value, Place { source, span: Span::new(6, 6 + raw.len()) }).unwrap()
}

fn shown(text: &Text, range: Range<usize>) -> String {
    let Span { start, end } = text.span_of(Some(range));
    text.place.source.text()[start..end].to_owned()
}

fn context() -> Context {
    Context::of_inputs(json!({ "a": 7, "b": "x", "l": [1] }).as_object().unwrap())
}

#[test]
fn one_expression_gives_its_value_and_anything_else_text() {
    let value = |template: &str| text("\"\"", template).evaluate(&context()).unwrap();
    assert_eq!(value("{{ inputs.a }}"), json!(7));
    assert_eq!(value("{{- inputs.l -}}"), json!([1]));
    assert_eq!(value("{{ {'k': {'m': inputs.a}} }}"), json!({ "k": { "m": 7 } }));
    assert_eq!(value(" {{ inputs.a }}"), json!(" 7"));
    assert_eq!(value("{{ inputs.a }}{{ inputs.b }}"), json!("7x"));
    assert_eq!(value("{{ '}} {{' }}"), json!("}} {{"));
    assert_eq!(value("{# no #}x"), json!("x"));
    assert_eq!(value("{ x }"), json!("{ x }"));
}

#[test]
fn places_point_into_strings_where_nothing_is_escaped() {
    let range = 3..7;
    assert_eq!(shown(&text("\"a {{ 'bc' }}\"", "a {{ 'bc' }}"), range.clone()), "{ 'b");
    assert_eq!(shown(&text("'a {{ \"bc\" }}'", "a {{ \"bc\" }}"), range.clone()), "{ \"b");
    assert_eq!(shown(&text("\"\"\"\na {{ 'bc' }}\"\"\"", "a {{ 'bc' }}"), range.clone()), "{ 'b");
    let escaped = "\"a {{ \\\"bc\\\" }}\"";
    assert_eq!(shown(&text(escaped, "a {{ \"bc\" }}"), range), escaped);
}

#[test]
fn a_fault_names_the_place() {
    let fault = |template: &str| {
        let text = text(&format!("\"{template}\""), template);
        text.fault(&text.evaluate(&context()).unwrap_err())
    };
    let found = fault("v{{ inputs.b + 1 }}");
    assert_eq!(found.kind, Kind::Invalid);
    assert_eq!(found.message, "`v{{ inputs.b + 1 }}` cannot be rendered");
    assert!(found.causes[0].starts_with("p.toml:1:12: "), "{}", found.causes[0]);
}

#[test]
fn long_texts_are_cut_for_messages() {
    assert_eq!(shorten("short"), "short");
    assert_eq!(shorten(&"é".repeat(61)).chars().count(), 60);
    assert_eq!(shorten("one\ntwo"), "one…");
}

/// Each link of these makes an expression one deeper, which the engine compiles by recursion.
#[test]
fn chains_of_any_length_fit_into_a_small_stack() {
    let links = [
        ".b",
        "['b']",
        "[0]",
        "()",
        "|upper",
        "+1",
        "*2",
        "**1",
        " ~ a",
        " == a",
        " and a",
        " or a",
        " in a",
        " is none",
        " is not none",
        " if a else a",
        "[a]",
        "[:1]",
        ".b()",
    ];
    let nests = [
        "not ",
        "-",
        "(",
        "[",
        "{'a': ",
        "{% if a %}",
        "{% if a %}{% elif a %}",
        "{{",
        "{% set a %}",
    ];
    let chain = |link: &str, count: usize| "a".to_owned() + &link.repeat(count);
    let nest = |nest: &str, count: usize| nest.repeat(count) + "a";
    for count in [limits::TEMPLATE_LINKS / 2, limits::TEMPLATE_LINKS, 4_000] {
        let chains = links.iter().map(|link| chain(link, count));
        for code in chains.chain(nests.iter().map(|prefix| nest(prefix, count))) {
            let texts = [
                format!("{{{{ {code} }}}}"),
                format!("x{{{{ {code} }}}}"),
                format!("{{% if {code} %}}{{% endif %}}"),
                code,
            ];
            for code in texts {
                let source = Source::new("p", "");
                let place = || Place { source: source.clone(), span: Span::default() };
                if let Ok(text) = Text::compile(&code, place()) {
                    let _ = text.evaluate(&context());
                }
                if let Ok(text) = Text::compile_condition(&code, place()) {
                    let _ = text.holds(&context());
                }
            }
        }
    }
}

#[test]
fn a_raw_block_hides_nothing_that_the_engine_reads() {
    let hidden = "+1".repeat(4_000);
    for text in [
        format!("{{% raw x %}}{{{{ 1{hidden} }}}}{{% endraw %}}"),
        format!("{{% raw %}}x{{% endraw %}}{{{{ 1{hidden} }}}}"),
        format!("{{{{ ( }}}} 1{hidden}"),
        format!("{{{{ ) }}}} 1{hidden} }}}}"),
        format!("{{# #}}{{{{ 1{hidden} }}}}"),
    ] {
        let place = Place { source: Source::new("p", ""), span: Span::default() };
        assert!(Text::compile(&text, place).is_err(), "{}", &text[..30]);
    }
}
