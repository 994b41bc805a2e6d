//! What is refused, where, and what to type instead.

use super::*;

/// `message | what is underlined | help` of every problem, in order.
fn problems(text: &str) -> Vec<String> {
    let problems = parse(text).map(|file| format!("{file:?}")).unwrap_err();
    let source = Source::new(text);
    let line = |problem: &Diagnostic| {
        let help = problem.help.clone().unwrap_or_default();
        format!("{} | {} | {help}", problem.message, source.slice(problem.span))
    };
    problems.iter().map(line).collect()
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = "FROM a AS 1b\nRNU x\nCOPY --form=b \\\n  x y\nENV A\nEXPOSE\nFROM\n";
    let wanted = [
        "`1b` cannot be the name of a stage | 1b | begin with a letter, and go on with letters, \
         digits, `-`, `_` and `.`",
        "unknown instruction `RNU` | RNU | did you mean `RUN`?",
        "COPY has no flag `--form` | --form | did you mean `--from`?",
        "`A` has no value | A | write `ENV A=value`",
        "EXPOSE has no port | EXPOSE | ",
        "FROM has no base image | FROM | write `FROM image` or `FROM image AS name`",
    ];
    assert_eq!(problems(text), wanted);
}

#[test]
fn a_problem_is_shown_with_its_line() {
    let text = "FROM a\n\n  COPY --form=b x y\n";
    let problems = parse(text).unwrap_err();
    let wanted = "error: COPY has no flag `--form`\n --> build/Dockerfile:3:8\n  |\n\
                  3 |   COPY --form=b x y\n  |        ^^^^^^\n  = help: did you mean `--from`?";
    assert_eq!(problems[0].render("build/Dockerfile", &Source::new(text)), wanted);
}

#[track_caller]
fn table(rows: &[(&str, &str)]) {
    for (text, wanted) in rows {
        assert_eq!(problems(&format!("FROM a\n{text}")), [*wanted], "{text}");
    }
}

#[test]
fn copies_that_are_wrong() {
    table(&[
        ("ADD a", "ADD has no destination | ADD a | write `ADD SOURCE DESTINATION`"),
        (
            "COPY --link=2 a b",
            "flag `--link` is `2`, expected true or false | --link=2 | write `--link` alone",
        ),
        ("COPY --from a b", "flag `--from` has no value | --from | write `--from=VALUE`"),
        (
            "COPY --from=a --from=b a b",
            "flag `--from` is given twice | --from=b | remove one of them",
        ),
        ("COPY a <<E\nE", "destination of COPY is a heredoc | <<E | write `COPY <<E DESTINATION`"),
        (
            "COPY <<E \"x /d\n",
            "heredoc is not read: a quote is not closed | <<E | close the quotes of this \
             instruction",
        ),
    ]);
}

#[test]
fn commands_that_are_wrong() {
    table(&[
        (
            "RUN <<E\nx",
            "heredoc `E` is not closed | <<E | end it with a line that is `E` and nothing else",
        ),
        (
            "RUN --network=hots x",
            "`--network` is `hots`, expected default or none or host | hots | did you mean `host`?",
        ),
        ("RUN --security=no x", "`--security` is `no`, expected sandbox or insecure | no | "),
        (
            "RUN --device=a,b x",
            "`b` is no option of a device | a,b | write `--device=NAME,required`",
        ),
        ("CMD --x y", "CMD has no flag `--x` | --x | "),
        (
            "CMD [\"a\", 1]",
            "JSON array holds something other than strings | 1 | put it in double quotes",
        ),
        ("SHELL a -c", "SHELL is not a JSON array | a -c | write `SHELL [\"a\", \"-c\"]`"),
        ("SHELL []", "SHELL has no shell | SHELL [] | write `SHELL [\"/bin/sh\", \"-c\"]`"),
        ("HEALTHCHECK", "HEALTHCHECK has no command | HEALTHCHECK | "),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments | x | remove them"),
        (
            "HEALTHCHECK CMD",
            "HEALTHCHECK has no command | HEALTHCHECK CMD | write `HEALTHCHECK CMD command`, or \
             `HEALTHCHECK NONE`",
        ),
        (
            "HEALTHCHECK curl",
            "HEALTHCHECK is `curl`, expected CMD or NONE | curl | write `CMD` before it",
        ),
        (
            "HEALTHCHECK --interval=5 CMD x",
            "`--interval` is `5`, expected a duration such as `30s` | 5 | write `--interval=5s`",
        ),
        ("HEALTHCHECK --timeout=5ns CMD x", "`--timeout` is less than 1ms | 5ns | "),
        (
            "HEALTHCHECK --retries=-1 CMD x",
            "`--retries` is `-1`, expected a number from 0 up | -1 | ",
        ),
    ]);
}

#[test]
fn metadata_that_is_wrong() {
    table(&[
        ("ENV =b", "`=b` has no name before `=` | =b | "),
        (
            "ENV a=b c",
            "`c` has no `=` | c | write `name=value`, and put values with blanks in quotes",
        ),
        ("LABEL", "LABEL has no name | LABEL | write `LABEL NAME=value`"),
        ("ARG", "ARG has no name | ARG | write `ARG NAME` or `ARG NAME=default`"),
        ("ARG =x", "`=x` has no name before `=` | =x | "),
        ("VOLUME [\"\"]", "volume is an empty path | \"\" | "),
        ("USER", "USER has no user | USER | "),
        ("WORKDIR", "WORKDIR has no path | WORKDIR | "),
        ("STOPSIGNAL", "STOPSIGNAL has no signal | STOPSIGNAL | "),
        ("MAINTAINER", "MAINTAINER has no name | MAINTAINER | "),
    ]);
}

#[test]
fn triggers_and_stages_that_are_wrong() {
    table(&[
        ("ONBUILD", "ONBUILD has no instruction | ONBUILD | "),
        ("ONBUILD FROM a", "FROM cannot be a trigger of ONBUILD | FROM | "),
        ("ONBUILD onbuild RUN a", "ONBUILD cannot be a trigger of ONBUILD | onbuild | "),
        ("ONBUILD MAINTAINER a", "MAINTAINER cannot be a trigger of ONBUILD | MAINTAINER | "),
        ("ONBUILD COPI a b", "unknown instruction `COPI` | COPI | did you mean `COPY`?"),
        ("FROM a b", "`b` is too much for FROM | b | write `FROM image` or `FROM image AS name`"),
        ("FROM a AS", "stage has no name | AS | write `FROM image` or `FROM image AS name`"),
        (
            "FROM a AS b c",
            "`c` is too much for FROM | c | write `FROM image` or `FROM image AS name`",
        ),
    ]);
}

#[test]
fn files_that_are_none() {
    let empty = ["file has no instructions |  | begin with `FROM`"];
    assert_eq!(problems(""), empty);
    assert_eq!(problems("# only\n\n# comments\n"), empty);
    assert_eq!(problems("ARG a\n"), ["file has no `FROM` |  | write `FROM scratch`"]);
    let wanted =
        ["RUN stands before the first FROM | RUN | only ARG may stand there; begin with `FROM`"];
    assert_eq!(problems("RUN a\nCOPY b c\nFROM d\n"), wanted);
}

#[test]
fn files_have_limits() {
    let large = "#".repeat(MAX_BYTES + 1);
    assert_eq!(parse(&large).unwrap_err()[0].message, "file is larger than 1 MiB");
    let long = format!("FROM a\n{}", "RUN b\n".repeat(MAX_INSTRUCTIONS));
    assert_eq!(parse(&long).unwrap_err()[0].message, "file has more than 10000 instructions");
    let wrong = "X y\n".repeat(1000);
    assert_eq!(parse(&wrong).unwrap_err().len(), MAX_PROBLEMS);
}
