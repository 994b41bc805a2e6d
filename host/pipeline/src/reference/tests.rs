use proptest::prelude::*;

use super::*;

fn paths(found: &References) -> Vec<String> {
    let join = |path: &Path| {
        let names: Vec<&str> = path.segments.iter().map(|(name, _)| name.as_str()).collect();
        names.join(".") + if path.is_computed { "[…]" } else { "" }
    };
    found.paths.iter().map(join).collect()
}

fn check(text: &str, expect: &[&str]) {
    assert_eq!(paths(&scan_expression(text)), expect, "{text}");
}

#[test]
fn paths_follow_dots_and_literal_brackets() {
    check("inputs.registry", &["inputs.registry"]);
    check("steps['my-step'] . outputs[\"a b\"].c", &["steps.my-step.outputs.a b.c"]);
    check("steps[inputs.which].outputs", &["steps[…]", "inputs.which"]);
    check("steps.a.outputs.list[0].x", &["steps.a.outputs.list[…]"]);
    check("steps.a.outputs.tags.split(inputs.by)", &["steps.a.outputs.tags.split", "inputs.by"]);
}

#[test]
fn words_that_are_no_variables_are_left_out() {
    check("a and not b or c in d if e else none", &["a", "b", "c", "d", "e"]);
    check("f(key=value, other == 1)", &["f", "value", "other"]);
    check("'inputs.x' ~ \"it\\\"s inputs.y\" ~ 1.5e3", &[]);
    let found = scan_expression("x | upper|default('y', true) is not defined");
    assert_eq!(paths(&found), ["x"]);
    let names = |list: &[(String, Range<usize>)]| {
        list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&found.filters), ["upper", "default"]);
    assert_eq!(names(&found.tests), ["defined"]);
}

#[test]
fn templates_are_read_inside_their_marks_only() {
    let text = "a.b {{ c.d }} {# e.f #} {% raw %}{{ g.h }}{% endraw %} {{ {'k': {'l': m}} }} }} n";
    let found = scan_template(text);
    assert_eq!(paths(&found), ["c.d", "m"]);
    assert!(!found.has_blocks);
    assert!(scan_template("{% if inputs.x %}y{% endif %}").has_blocks);
}

#[test]
fn ranges_point_at_the_names() {
    let text = "v-{{ steps.base.outputs.tag }}";
    let found = scan_template(text);
    assert_eq!(&text[found.paths[0].range(1)], "base");
    assert_eq!(&text[found.paths[0].whole()], "steps.base.outputs.tag");
}

proptest! {
    #[test]
    fn any_text_is_read_to_its_end(text: String) {
        scan_template(&text);
        scan_expression(&text);
    }

    #[test]
    fn any_code_is_read_to_its_end(text in "[a-z.\\[\\]'\"{}%#|= \\\\é-]{0,60}") {
        scan_template(&text);
        scan_expression(&text);
    }
}
