use proptest::prelude::*;

use super::*;
mod refused;

use crate::instruction::{
    Argument, CommandLine, HealthcheckLine, HealthcheckOptions, Network, PathSource, Security,
};

/// The instructions of a text that begins with `FROM a`.
fn commands(text: &str) -> Vec<Command> {
    let text = format!("FROM a\n{text}");
    let file = parse(&text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    let stage = file.stages.into_iter().next().unwrap();
    stage.instructions.into_iter().map(|instruction| instruction.command).collect()
}

fn command(text: &str) -> Command {
    let mut found = commands(text);
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0)
}

fn texts<'a>(words: impl IntoIterator<Item = &'a crate::Word>) -> Vec<&'a str> {
    words.into_iter().map(|word| word.text.as_str()).collect()
}

#[test]
fn from_has_a_platform_and_a_name() {
    let file = parse("arg A=1\nfrom --platform=$P x as Y\nRUN a\nFROM y\n").unwrap();
    assert_eq!(file.global_args.len(), 1);
    let heads: Vec<_> = file.stages.iter().map(|s| s.from.command.head().unwrap()).collect();
    let (first, second) = (heads[0], heads[1]);
    assert_eq!(first.platform.as_ref().unwrap().text, "$P");
    assert_eq!((first.base.text.as_str(), second.base.text.as_str()), ("x", "y"));
    assert_eq!(first.name.as_ref().unwrap().text, "Y");
    assert_eq!(second.name, None);
    assert_eq!(file.stages[0].instructions.len(), 1);
}

#[test]
fn pairs_in_both_forms() {
    let pairs = |text: &str| {
        let (Command::Env(pairs) | Command::Label(pairs)) = command(text) else { panic!("{text}") };
        let said = pairs.into_iter().map(|pair| {
            let legacy = if pair.legacy { "!" } else { "" };
            format!("{}={}{legacy}", pair.key.text, pair.value.text)
        });
        said.collect::<Vec<_>>()
    };
    let rows: [(&str, &[&str]); 8] = [
        ("ENV a=b", &["a=b"]),
        ("ENV a b  c=d ", &["a=b  c=d!"]),
        ("ENV a=b c=\"d e\" f='g h' i=j\\ k", &["a=b", "c=\"d e\"", "f='g h'", "i=j\\ k"]),
        ("ENV a= b=", &["a=", "b="]),
        ("ENV a=b \\\n  c=d", &["a=b", "c=d"]),
        ("LABEL \"a b\"=c", &["\"a b\"=c"]),
        ("LABEL a=b=c d=", &["a=b=c", "d="]),
        ("ENV a='\\' b=c\\", &["a='\\'", "b=c"]),
    ];
    for (text, wanted) in rows {
        assert_eq!(pairs(text), wanted, "{text}");
    }
}

#[test]
fn arguments_may_have_defaults() {
    let Command::Arg(arguments) = command("ARG a b= c=\"d e\"") else { panic!() };
    let said: Vec<(&str, Option<&str>)> = arguments
        .iter()
        .map(|Argument { name, default }| {
            (name.text.as_str(), default.as_ref().map(|d| d.text.as_str()))
        })
        .collect();
    assert_eq!(said, [("a", None), ("b", Some("")), ("c", Some("\"d e\""))]);
}

#[test]
fn the_exec_form_falls_back_to_the_shell_form() {
    let line = |text: &str| {
        let found = command(text);
        if let Command::Run(run) = found {
            return run.command;
        }
        let (Command::Cmd(line) | Command::Entrypoint(line)) = found else { panic!("{text}") };
        line
    };
    let exec = |text: &str| match line(text) {
        CommandLine::Exec(words) => words.into_iter().map(|word| word.text).collect::<Vec<_>>(),
        CommandLine::Shell(word) => vec!["shell".to_owned(), word.text],
    };
    assert_eq!(exec("CMD [\"a\", \"b c\"]"), ["a", "b c"]);
    assert_eq!(exec("CMD []"), Vec::<String>::new());
    assert_eq!(exec("CMD"), ["shell", ""]);
    assert_eq!(exec("ENTRYPOINT ['a']"), ["shell", "['a']"]);
    assert_eq!(exec("RUN [ \"a\" ] b"), ["shell", "[ \"a\" ] b"]);
    assert_eq!(exec("RUN a \\\n # no\n  b"), ["shell", "a   b"]);
    assert_eq!(exec("RUN -- --x"), ["shell", "--x"]);
    assert_eq!(exec("CMD # a"), ["shell", "# a"]);
}

#[test]
fn copies_have_flags_sources_and_a_destination() {
    let text = "COPY --from=0 --chown='a b':c --chmod=u=rwX --link --parents=false \
                --exclude=*.a --exclude=b x \"y /z";
    let Command::Copy(copy) = command(text) else { panic!() };
    assert_eq!(
        texts([&copy.from, &copy.chown, &copy.chmod].into_iter().flatten()),
        ["0", "a b:c", "u=rwX"]
    );
    assert_eq!((copy.link, copy.parents), (true, false));
    assert_eq!(texts(&copy.exclude), ["*.a", "b"]);
    assert_eq!(copy.paths.destination.text, "/z");
    let sources = |paths: &crate::instruction::Paths| {
        let source = |source: &PathSource| match source {
            PathSource::Path(word) => word.text.clone(),
            PathSource::Heredoc(index) => format!("<<{index}"),
        };
        paths.sources.iter().map(source).collect::<Vec<_>>()
    };
    assert_eq!(sources(&copy.paths), ["x", "\"y"]);

    let text = "ADD --checksum=sha256:0 --keep-git-dir --unpack=False [\"a b\", \"c\"]";
    let Command::Add(add) = command(text) else { panic!() };
    assert_eq!(sources(&add.paths), ["a b"]);
    assert_eq!((add.keep_git_dir, add.unpack, add.link), (Some(true), Some(false), false));
    assert_eq!(add.checksum.unwrap().text, "sha256:0");

    let text = "COPY <<a x <<'b' <<a /d/\nfirst\na\n$x\nb\nsecond\na";
    let Command::Copy(copy) = command(text) else { panic!() };
    assert_eq!(sources(&copy.paths), ["<<2", "x", "<<1", "<<2"]);
}

#[test]
fn run_has_options() {
    let text = "RUN --network=none --security=insecure --device=vendor/gpu=all,required \
                --mount=type=cache,target=/c --mount=type=tmpfs,target=/t x";
    let Command::Run(run) = command(text) else { panic!() };
    assert_eq!((run.network, run.security), (Network::None, Security::Insecure));
    assert_eq!(run.mounts.len(), 2);
    assert_eq!((run.devices[0].name.as_str(), run.devices[0].required), ("vendor/gpu=all", true));
}

#[test]
fn health_checks() {
    assert_eq!(command("HEALTHCHECK none"), Command::Healthcheck(HealthcheckLine::None));
    let text = "HEALTHCHECK --interval=1m30s --timeout=3s --start-period=0 --start-interval=5ms \
                --retries=3 CMD curl  -f";
    let Command::Healthcheck(HealthcheckLine::Check { command: line, options }) = command(text)
    else {
        panic!()
    };
    let CommandLine::Shell(word) = line else { panic!() };
    assert_eq!(word.text, "curl  -f");
    let wanted = HealthcheckOptions {
        interval: 90_000_000_000,
        timeout: 3_000_000_000,
        start_period: 0,
        start_interval: 5_000_000,
        retries: 3,
    };
    assert_eq!(options, wanted);
}

#[test]
fn the_other_instructions() {
    let words = |text: &str| {
        let found = command(text);
        if let Command::Expose(words) | Command::Volume(words) | Command::Shell(words) = found {
            return words.into_iter().map(|word| word.text).collect::<Vec<_>>();
        }
        let (Command::Maintainer(word)
        | Command::StopSignal(word)
        | Command::User(word)
        | Command::Workdir(word)) = found
        else {
            panic!("{text}")
        };
        vec![word.text]
    };
    assert_eq!(words("EXPOSE 80 443/udp\t1-2"), ["80", "443/udp", "1-2"]);
    assert_eq!(words("VOLUME /a /b"), ["/a", "/b"]);
    assert_eq!(words("VOLUME [\"/a b\"]"), ["/a b"]);
    assert_eq!(words("SHELL [\"a\", \"-c\"]"), ["a", "-c"]);
    assert_eq!(words("MAINTAINER A B <c>"), ["A B <c>"]);
    assert_eq!(words("STOPSIGNAL $S"), ["$S"]);
    assert_eq!(words("USER a:b "), ["a:b"]);
    assert_eq!(words("WORKDIR /a b"), ["/a b"]);
}

#[test]
fn triggers_are_parsed_and_kept_as_text() {
    let triggers = |text: &str| {
        let found = commands(text).into_iter().map(|command| {
            let Command::Onbuild(onbuild) = command else { panic!("{text}") };
            (onbuild.expression, onbuild.trigger.command.name())
        });
        found.collect::<Vec<_>>()
    };
    let text = "ONBUILD  run a \\\n b\nonbuild COPY <<f /g\nx\nf\n";
    let wanted = [("run a  b".to_owned(), "RUN"), ("COPY <<f /g\nx\nf".to_owned(), "COPY")];
    assert_eq!(triggers(text), wanted);
    for (expression, name) in triggers(text) {
        let again = parse_trigger(&expression, Span::new(3, 4)).unwrap();
        assert_eq!((again.command.name(), again.span), (name, Span::new(3, 4)));
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        check(&text)?;
    }

    #[test]
    fn no_dockerfile_makes_it_panic(lines in proptest::collection::vec(line_of_text(), 0..12)) {
        check(&lines.concat())?;
    }
}

/// Whatever is read points into the text.
fn check(text: &str) -> Result<(), TestCaseError> {
    let in_text = |span: Span| {
        span.start <= span.end
            && span.end <= text.len()
            && text.is_char_boundary(span.start)
            && text.is_char_boundary(span.end)
    };
    match parse(text) {
        Ok(file) => {
            let own =
                file.stages.iter().flat_map(|s| std::iter::once(&s.from).chain(&s.instructions));
            for instruction in file.global_args.iter().chain(own) {
                prop_assert!(in_text(instruction.span), "{instruction:?}");
                prop_assert!(in_text(instruction.keyword.span), "{instruction:?}");
            }
            for warning in file.lint() {
                prop_assert!(in_text(warning.span), "{warning:?}");
            }
        }
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(in_text(problem.span), "{problem:?}");
                let _ = problem.render("Dockerfile", &Source::new(text));
            }
        }
    }
    Ok(())
}

/// Half of what a Dockerfile is made of.
fn line_of_text() -> impl Strategy<Value = String> {
    let keyword = proptest::sample::select(args::KEYWORDS.to_vec());
    let piece = proptest::sample::select(vec![
        " a",
        " b=c",
        " \"",
        " '",
        " [\"x\"]",
        " <<E",
        " <<-'E'",
        " --from=0",
        " --mount=type=cache,target=/c",
        " --x",
        " \\",
        "\\\n",
        " $A",
        " ${A:-b}",
        " AS s",
        " é",
        "\t",
        "\nE",
        "\n# x",
        "=",
        ",",
    ]);
    (keyword, proptest::collection::vec(piece, 0..6))
        .prop_map(|(keyword, pieces)| format!("{keyword}{}\n", pieces.concat()))
}
