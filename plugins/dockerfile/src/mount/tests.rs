use super::*;
use crate::instruction::Command;

/// The mount of `RUN --mount=TEXT`, or what is wrong with it and which part of the file that is.
fn mount(text: &str) -> Result<Mount, (String, String)> {
    let file = format!("FROM a\nRUN --mount={text} x\n");
    let problem = |problem: &Diagnostic| {
        let at = file.get(problem.span.range()).unwrap_or("?");
        (problem.message.clone(), at.to_owned())
    };
    let parsed = crate::parse(&file).map_err(|problems| problem(problems.first().unwrap()))?;
    let instruction = parsed.stages.first().unwrap().instructions.first().unwrap();
    let Command::Run(run) = &instruction.command else { panic!("{instruction:?}") };
    let flag = run.mounts.first().unwrap();
    flag.evaluate(&mut |word| Ok(word.text.replace("$A", "value"))).map_err(|found| problem(&found))
}

#[test]
fn mounts_of_every_type() {
    let owned = |text: &str| text.to_owned();
    let bind = Mount::default();
    let rows = [
        ("target=/a", Mount { target: owned("/a"), ..bind.clone() }),
        (
            "type=bind,from=b,src=/c,dst=/a,rw",
            Mount {
                from: Some(owned("b")),
                source: owned("/c"),
                target: owned("/a"),
                read_only: false,
                ..bind.clone()
            },
        ),
        (
            "TYPE=Cache,id=x,sharing=LOCKED,target=/a,mode=0700,uid=1,gid=2,ro=true",
            Mount {
                kind: MountKind::Cache,
                id: owned("x"),
                sharing: Sharing::Locked,
                target: owned("/a"),
                mode: Some(0o700),
                uid: Some(1),
                gid: Some(2),
                ..bind.clone()
            },
        ),
        (
            "type=tmpfs,target=/a,size=64m",
            Mount {
                kind: MountKind::Tmpfs,
                target: owned("/a"),
                size: 64 << 20,
                read_only: false,
                ..bind.clone()
            },
        ),
        (
            "type=secret,id=s,required,env=S",
            Mount {
                kind: MountKind::Secret,
                id: owned("s"),
                required: true,
                env: Some(owned("S")),
                ..bind.clone()
            },
        ),
        (
            "type=ssh,required=false,mode=600",
            Mount { kind: MountKind::Ssh, mode: Some(0o600), ..bind.clone() },
        ),
        ("target=/$A,readwrite=false", Mount { target: owned("/value"), ..bind }),
    ];
    for (text, wanted) in rows {
        assert_eq!(mount(text), Ok(wanted), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_mount_has_a_place() {
    let rows = [
        (
            "type=cach,target=/a",
            "`type` of a mount is `cach`, expected bind, cache, tmpfs, secret or ssh",
            "cach",
        ),
        ("traget=/a", "mount has no key `traget`", "traget"),
        ("foo", "mount has no key `foo`", "foo"),
        ("target", "`target` of a mount has no value", "target"),
        (
            "target=/a,required",
            "`required` is for mounts of type secret or ssh, not bind",
            "required",
        ),
        ("size=1,type=tmpfs", "`size` is for mounts of type tmpfs, not bind", "size"),
        ("type=tmpfs,size=x", "`size` of a mount is `x`, expected a size such as 64m", "x"),
        (
            "type=cache,sharing=all",
            "`sharing` of a mount is `all`, expected shared, private or locked",
            "all",
        ),
        ("type=cache,mode=9", "`mode` of a mount is `9`, expected octal digits such as 0400", "9"),
        ("target=/a,uid=1", "mount of type bind takes no `uid`", "target=/a,uid=1"),
        (
            "target=/a,sharing=shared",
            "mount of type bind takes no `sharing`",
            "target=/a,sharing=shared",
        ),
        ("type=secret", "mount of type secret names no secret", "type=secret"),
        (
            "type=secret,id=a,src=b",
            "mount of type secret has both `id` and `source`",
            "type=secret,id=a,src=b",
        ),
        (
            "type=secret,id=a,from=b",
            "mount of type secret takes no `from`",
            "type=secret,id=a,from=b",
        ),
        ("from=$A,target=/a", "`from` of a mount takes no variables", "$A"),
        ("ro=maybe", "`ro` of a mount is `maybe`, expected true or false", "maybe"),
        ("a\\\"b", "quote within a field that is not quoted", "\""),
    ];
    for (text, message, place) in rows {
        let wanted = (message.to_owned(), place.to_owned());
        assert_eq!(mount(text), Err(wanted), "{text}");
    }
}

#[test]
fn fields_may_be_quoted() {
    let fields = |text: &str| {
        csv::fields(text).map(|found| found.into_iter().map(|field| field.1).collect::<Vec<_>>())
    };
    assert_eq!(
        fields("a,\"b,\"\"c\"\"\",,d"),
        Ok(["a", "b,\"c\"", "", "d"].map(str::to_owned).into())
    );
    assert!(fields("\"a").is_err());
    assert!(fields("\"a\"b").is_err());
}
