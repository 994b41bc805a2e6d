//! The history, letter for letter as BuildKit writes it.

use super::*;

fn history(text: &str) -> Vec<(Option<String>, bool)> {
    steps(text).into_iter().map(|step| (step.created_by, step.has_layer)).collect()
}

#[test]
fn every_instruction_has_its_line() {
    let text = "FROM a AS x\nFROM b\nARG A=1 B\nENV C=$A D=\"e f\"\nLABEL l=\"m n\" o=\n\
        RUN echo $A\nRUN [\"x\", \"y\"]\nWORKDIR w\nWORKDIR /\nCOPY --from=x --link a b c/\n\
        COPY --parents --chown=1:2 --chmod=u+x --exclude=z a .\nADD --chmod=0644 https://h/x /y\n\
        COPY <<e.txt p /q\nz\ne.txt\nUSER u:g\nEXPOSE 90/UDP 80-81\nVOLUME /v \"/w\"\n\
        SHELL [\"/bin/bash\", \"-c\"]\nCMD a \"b\"\nENTRYPOINT [\"c\", \"d\\te\"]\nSTOPSIGNAL 9\n\
        HEALTHCHECK --interval=90s --retries=3 CMD curl -f\nHEALTHCHECK NONE\nMAINTAINER M\n\
        ONBUILD RUN x\n";
    let line = |text: &str, has_layer: bool| (Some(text.to_owned()), has_layer);
    let wanted = [
        line("ARG A=1 B", false),
        line("ENV C=1 D=e f", false),
        line("LABEL l=m n o=", false),
        line("RUN |2 A=1 B= /bin/sh -c echo $A # buildkit", true),
        line("RUN |2 A=1 B= x y # buildkit", true),
        line("WORKDIR /w", true),
        line("WORKDIR /", false),
        line("COPY a b c/ # buildkit", true),
        line("COPY --parents --chown=1:2 --chmod=u+x a . # buildkit", true),
        line("ADD --chmod=0644 https://h/x /y # buildkit", true),
        line("COPY p <<e.txt /q # buildkit", true),
        line("USER u:g", false),
        line("EXPOSE [80/tcp 81/tcp 90/udp]", false),
        line("VOLUME [/v /w]", false),
        line("SHELL [/bin/bash -c]", false),
        line("CMD [\"/bin/bash\" \"-c\" \"a \\\"b\\\"\"]", false),
        line("ENTRYPOINT [\"c\" \"d\\te\"]", false),
        line("STOPSIGNAL 9", false),
        line(
            "HEALTHCHECK {Test:[CMD-SHELL curl -f] Interval:1m30s Timeout:0s StartPeriod:0s \
             StartInterval:0s Retries:3}",
            false,
        ),
        line(
            "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s \
             Retries:0}",
            false,
        ),
        line("MAINTAINER M", false),
        (None, false),
    ];
    assert_eq!(history(text), wanted);
}

#[test]
fn the_config_holds_it_all() {
    let text = "FROM scratch\nLABEL a=b\nEXPOSE 80 80\nVOLUME /v\nUSER u\nSTOPSIGNAL SIGINT\n\
                HEALTHCHECK --timeout=1s CMD [\"x\", \"y\"]\nMAINTAINER M\n";
    let found = config(text);
    let check = found.healthcheck.clone().unwrap();
    assert_eq!(check.test, ["CMD", "x", "y"]);
    assert_eq!(check.options.timeout, 1_000_000_000);
    let wanted = Config {
        env: vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())],
        labels: [("a".to_owned(), "b".to_owned())].into(),
        exposed_ports: ["80/tcp".to_owned()].into(),
        volumes: ["/v".to_owned()].into(),
        user: "u".to_owned(),
        stop_signal: Some("SIGINT".to_owned()),
        healthcheck: Some(check),
        author: Some("M".to_owned()),
        ..Config::default()
    };
    assert_eq!(found, wanted);
}
