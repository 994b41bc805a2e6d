use proptest::prelude::*;
use report::Source;

use crate::fixture::Fixture;
use crate::{Given, parse, plan};

fn read(text: &str) {
    let source = Source::new("p.toml", text);
    if let Ok(pipeline) = parse(&source) {
        let _ = plan(&pipeline, &Given::default(), &Fixture);
    }
}

/// Text that gets past the grammar of TOML more often than any text does.
fn fragments() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "schema = 1\n",
        "[pipeline]\n",
        "name = \"x\"\n",
        "[[step]]\n",
        "id = \"a\"\n",
        "id = \"b-c\"\n",
        "uses = \"import-image\"\n",
        "[inputs]\n",
        "x = { default = 1 }\n",
        "[secrets]\n",
        "needs = [\"a\"]\n",
        "with = { source = \"{{ inputs.x }}\", target = \"{{ steps.a.outputs.digest }}\" }\n",
        "when = \"steps.b-c.outcome == 'x'\"\n",
        "matrix = { a = [1, 2] }\n",
        "[step.grant]\n",
        "secrets = [\"é\"]\n",
        "when = \"é{{\"\n",
        "timeout = \"é\"\n",
        "retry = {}\n",
        "concurrency = \"{{ inputs.x }}\"\n",
        "]",
        "\"",
        "=",
        "{{",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text: String) {
        read(&text);
    }

    #[test]
    fn no_pipeline_makes_it_panic(text in fragments()) {
        read(&text);
        read(&format!("schema = 1\n[pipeline]\nname = \"x\"\n{text}"));
    }
}

#[test]
fn thousands_of_steps_are_planned() {
    let mut text =
        "schema = 1\n[pipeline]\nname = \"x\"\n[inputs]\nr = { default = \"r\" }\n".to_owned();
    let step = |index: usize| {
        let with = format!(
            "source = \"{{{{ inputs.r }}}}/a:{index}\", target = \"{{{{ inputs.r }}}}/b:{{{{ run.id }}}}\""
        );
        format!("[[step]]\nid = \"s{index}\"\nuses = \"import-image\"\nwith = {{ {with} }}\n")
    };
    text.extend((0..2000).map(step));
    let pipeline = parse(&Source::new("p.toml", text)).unwrap();
    let plan = plan(&pipeline, &Given::default(), &Fixture).unwrap();
    assert_eq!(plan.steps.len(), 2000);
}

#[test]
fn a_password_in_the_file_is_in_no_message() {
    let text = "schema = 1\n[pipeline]\nname = \"x\"\n[registries]\n\"r\" = { password = \"hunter2\", insecure = 3, token = 'pässw' }\n";
    for problem in parse(&Source::new("p.toml", text)).unwrap_err() {
        let said = report::render_diagnostic(&problem, report::Style::Plain);
        assert!(!said.contains("hunter2") && !said.contains("pässw"), "{said}");
    }
}
