//! Mounts of `RUN`, filled in.

use super::*;
use crate::step::RunMount;

/// `origin id target` of every mount of the last `RUN`.
fn mounts(text: &str) -> Vec<String> {
    let text = format!("FROM a AS x\nFROM b\nWORKDIR /w\nARG A=value\nRUN {text} x\n");
    let run = runs(&text, &[]).pop().unwrap();
    let line = |found: &RunMount| {
        format!("{:?} {:?} {:?}", found.origin, found.mount.id, found.mount.target)
    };
    run.mounts.iter().map(line).collect()
}

#[test]
fn paths_and_names_are_filled_in() {
    let rows = [
        ("--mount=target=t", "Context \"\" \"/w/t\""),
        ("--mount=target=/t/$A", "Context \"\" \"/t/value\""),
        ("--mount=from=x,target=/t", "Stage(0) \"\" \"/t\""),
        ("--mount=from=0,target=/t", "Stage(0) \"\" \"/t\""),
        ("--mount=from=img:1,target=/t", "Image(\"img:1\") \"\" \"/t\""),
        ("--mount=type=cache,target=/c//d/", "Empty \"/c/d\" \"/c/d\""),
        ("--mount=type=cache,target=c", "Empty \"c\" \"/w/c\""),
        ("--mount=type=cache,id=i,from=x,target=/c", "Stage(0) \"i\" \"/c\""),
        ("--mount=type=tmpfs,target=/t", "Empty \"\" \"/t\""),
        ("--mount=type=secret,id=s", "Empty \"s\" \"/run/secrets/s\""),
        ("--mount=type=secret,src=a/s", "Empty \"a/s\" \"/run/secrets/s\""),
        ("--mount=type=secret,target=/x/y", "Empty \"y\" \"/x/y\""),
        ("--mount=type=secret,id=s,env=S", "Empty \"s\" \"\""),
        ("--mount=type=secret,id=s,env=S,target=/y", "Empty \"s\" \"/y\""),
        ("--mount=type=ssh", "Empty \"default\" \"/run/buildkit/ssh_agent.0\""),
        ("--mount=type=ssh,id=i,target=/s", "Empty \"i\" \"/s\""),
    ];
    for (text, wanted) in rows {
        assert_eq!(mounts(text), [wanted], "{text}");
    }
}

#[test]
fn what_cannot_be_mounted_is_refused() {
    let rows = [
        ("--mount=target=/", "mount covers the whole file system"),
        ("--mount=type=cache,target=../..", "mount covers the whole file system"),
        ("--mount=type=ssh,source=x", "mount of type ssh takes no `source`"),
        (
            "--mount=type=$T,target=/t",
            "`type` of a mount is `nonsense`, expected bind, cache, tmpfs, secret or ssh",
        ),
    ];
    for (text, wanted) in rows {
        let text = format!("FROM b\nARG T=nonsense\nRUN {text} x\n");
        assert_eq!(problem(&text).0, wanted, "{text}");
    }
}
