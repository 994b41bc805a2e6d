//! One Dockerfile for each feature; what it should do is asserted by its own `RUN`s.

use support::{Answer, HttpServer};

use super::Workshop;

/// A feature: a Dockerfile, the files of its context, and more of `with`.
struct Feature {
    name: &'static str,
    dockerfile: &'static str,
    files: &'static [(&'static str, &'static str)],
    with: &'static str,
}

const fn plain(name: &'static str, dockerfile: &'static str) -> Feature {
    Feature { name, dockerfile, files: &[], with: "" }
}

const fn with_files(
    name: &'static str,
    dockerfile: &'static str,
    files: &'static [(&'static str, &'static str)],
) -> Feature {
    Feature { name, dockerfile, files, with: "" }
}

/// The cases that other builders were held against, a third of which fail each of them somewhere.
/// `BASE` stands for the image with busybox, `SERVER` for a web server with the file `/hello`.
const FEATURES: &[Feature] = &[
    Feature {
        name: "add url",
        dockerfile: "FROM BASE\nADD http://SERVER/hello /got\nRUN [ \"$(cat /got)\" = hello ] && [ \"$(stat -c %a /got)\" = 600 ]\n",
        files: &[],
        with: "hosts = [{ url = \"http://SERVER\", private = true }]",
    },
    Feature {
        name: "add url with checksum",
        dockerfile: "FROM BASE\nADD --checksum=sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 http://SERVER/hello /got\nRUN [ \"$(cat /got)\" = hello ]\n",
        files: &[],
        with: "hosts = [{ url = \"http://SERVER\", private = true }]",
    },
    with_files(
        TAR,
        "FROM BASE\nADD in.tar.gz /to/\nCOPY in.tar.gz /kept/\nADD in* /mixed/\nRUN [ \"$(cat /to/in/one)\" = one ] && [ -f /kept/in.tar.gz ] && [ \"$(cat /mixed/in/one /mixed/in[2].txt)\" = onetwo ]\n",
        &[("in[2].txt", "two")],
    ),
    plain(
        "default and alternate values",
        "FROM BASE\nARG a\nARG b=set\nENV one=${a:-fallback} two=${b:+given} three=${a-} four=${b:-no}\nRUN [ \"$one,$two,$three,$four\" = \"fallback,given,,set\" ]\n",
    ),
    plain(
        "comments inside of run",
        "FROM BASE\nRUN true && \\\n# a comment\n  true && \\\n\n  # another one\n  echo yes > /yes\nRUN [ \"$(cat /yes)\" = yes ]\n",
    ),
    plain(
        "copy from a stage",
        "FROM BASE AS one\nRUN echo made > /made\nFROM BASE\nCOPY --from=one /made /two\nCOPY --from=0 /made /three\nRUN [ \"$(cat /two)$(cat /three)\" = mademade ]\n",
    ),
    plain("copy from an image", "FROM scratch\nCOPY --from=BASE /etc/passwd /passwd\n"),
    with_files(
        "globs",
        "FROM BASE\nCOPY *.txt d?r/[ab].md /to/\nRUN [ \"$(ls /to | tr '\\n' ,)\" = a.md,one.txt,two.txt, ]\n",
        &[
            ("one.txt", "1"),
            ("two.txt", "2"),
            ("three.md", "3"),
            ("dir/a.md", "4"),
            ("dir/c.md", "5"),
        ],
    ),
    with_files(
        "copy exclude, whose patterns are no lines of a file",
        "FROM BASE\nCOPY --exclude=#* --exclude=/two --exclude=Dockerfile . /to/\nRUN [ \"$(ls -A /to | tr '\\n' ,)\" = one,two, ]\n",
        &[("#note", ""), ("one", ""), ("two", "")],
    ),
    with_files(
        "dockerignore with exceptions",
        "FROM BASE\nCOPY . /to/\nRUN [ \"$(cd /to && find . -type f | sort | tr '\\n' ,)\" = ./docs/keep.md,./main.c, ]\n",
        &[
            (".dockerignore", "# notes\n**/*.md\n!docs/keep.md\n*.o\n.dockerignore\nDockerfile\n"),
            ("main.c", ""),
            ("main.o", ""),
            ("docs/keep.md", ""),
            ("docs/drop.md", ""),
            ("README.md", ""),
        ],
    ),
    plain(
        "escape directive",
        "# escape=`\nFROM BASE\nRUN echo one `\n && echo two > /two\nRUN [ \"$(cat /two)\" = two ]\n",
    ),
    plain(
        "label expose healthcheck stopsignal",
        "FROM BASE\nLABEL a=1 \"b c\"=\"2 3\"\nEXPOSE 80 53/udp\nHEALTHCHECK --interval=5s --retries=2 CMD true\nSTOPSIGNAL SIGINT\nMAINTAINER me\nCMD [\"a\", \"b\"]\nENTRYPOINT [\"/bin/true\"]\n",
    ),
    plain(
        "several stages of which one is not needed",
        "FROM BASE AS never\nRUN false\nFROM BASE AS one\nRUN echo 1 > /1\nFROM one AS two\nRUN echo 2 > /2\nFROM two\nRUN [ -e /1 ] && [ -e /2 ]\n",
    ),
    with_files("scratch", "FROM scratch\nCOPY one /one\n", &[("one", "1")]),
    plain(
        "shell",
        "FROM BASE\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN false || echo caught > /caught; [ -e /caught ]\nSHELL [\"/bin/busybox\", \"sh\", \"-c\"]\nRUN [ \"$0\" = sh ] || [ -e /caught ]\n",
    ),
    plain(
        "user and workdir",
        "FROM BASE\nWORKDIR /work\nWORKDIR deep\nRUN [ \"$(pwd)\" = /work/deep ]\nUSER app\nRUN [ \"$(id -u):$(id -g)\" = 1000:1000 ] && [ \"$HOME\" = /home/app ]\nWORKDIR /home/app/own\nRUN echo mine > mine && [ \"$(stat -c %U mine)\" = app ]\nUSER 1000:50\nRUN [ \"$(id -g)\" = 50 ]\n",
    ),
    with_files(
        "root of an image without users",
        "FROM scratch\nUSER root\nWORKDIR /work\nCOPY --chown=root:root one .\n",
        &[("one", "1")],
    ),
    plain(
        "volume",
        "FROM BASE\nRUN mkdir /data && echo one > /data/one\nVOLUME /data\nVOLUME [\"/a\", \"/b\"]\nRUN [ \"$(cat /data/one)\" = one ]\n",
    ),
    plain(
        "whiteouts",
        "FROM BASE\nRUN mkdir -p /d/e && echo 1 > /d/one && echo 2 > /d/two && echo 3 > /d/e/three\nRUN rm /d/one && rm -r /d/e && mkdir /d/e\nRUN [ ! -e /d/one ] && [ -e /d/two ] && [ -d /d/e ] && [ ! -e /d/e/three ]\n",
    ),
    plain(
        "run heredoc",
        "FROM BASE\nRUN <<EOF\nset -e\necho one > /one\necho two > /two\nEOF\nRUN <<'SCRIPT'\n#!/bin/busybox sh\necho awk > /awk\nSCRIPT\nRUN [ \"$(cat /one /two /awk | tr '\\n' ,)\" = one,two,awk, ]\n",
    ),
    plain(
        "copy heredoc",
        "FROM BASE\nARG name=world\nCOPY <<EOF <<\"RAW\" /to/\nhello ${name}\nEOF\nhello ${name}\nRAW\nRUN [ \"$(cat /to/EOF)\" = \"hello world\" ] && [ \"$(cat /to/RAW)\" = 'hello ${name}' ]\n",
    ),
    with_files(
        "bind mounts",
        "FROM BASE AS other\nRUN echo other > /file\nFROM BASE\nRUN --mount=type=bind,target=/ctx --mount=type=bind,from=other,source=/file,target=/file,rw [ \"$(cat /ctx/one)$(cat /file)\" = oneother ] && ! touch /ctx/two 2>/dev/null && echo lost > /file\nRUN [ ! -e /ctx ] && [ ! -e /file ]\n",
        &[("one", "one")],
    ),
    plain(
        "cache mounts",
        "FROM BASE\nRUN --mount=type=cache,target=/cache,id=x echo kept > /cache/kept\nRUN --mount=type=cache,target=/other,id=x,sharing=locked [ \"$(cat /other/kept)\" = kept ]\nRUN [ ! -e /cache ] && [ ! -e /other ]\n",
    ),
    Feature {
        name: "secret mounts",
        dockerfile: "FROM BASE\nRUN --mount=type=secret,id=token [ \"$(cat /run/secrets/token)\" = s3cr3t ] && [ \"$(stat -c %a /run/secrets/token)\" = 400 ]\nRUN --mount=type=secret,id=token,target=/t,mode=0444,uid=1000 [ \"$(stat -c %a:%u /t)\" = 444:1000 ]\nRUN [ ! -e /run/secrets/token ] && [ ! -e /t ]\n",
        files: &[],
        with: "secrets = [\"token\"]",
    },
    Feature {
        name: "secret as a variable",
        dockerfile: "FROM BASE\nRUN --mount=type=secret,id=token,env=TOKEN [ \"$TOKEN\" = s3cr3t ]\nRUN [ -z \"$TOKEN\" ]\n",
        files: &[],
        with: "secrets = [\"token\"]",
    },
    plain(
        "tmpfs mounts",
        "FROM BASE\nRUN --mount=type=tmpfs,target=/mem,size=1m echo x > /mem/x && grep -q ' /mem tmpfs ' /proc/mounts && ! dd if=/dev/zero of=/mem/big bs=1M count=2 2>/dev/null\nRUN [ ! -e /mem ]\n",
    ),
    with_files(
        "copy chmod octal",
        "FROM BASE\nCOPY --chmod=0741 --chown=app:50 one /to/one\nRUN [ \"$(stat -c %a:%u:%g /to/one)\" = 741:1000:50 ]\n",
        &[("one", "1")],
    ),
    with_files(
        "copy chmod symbolic",
        "FROM BASE\nCOPY --chmod=u=rwX,go=rX dir /to/\nRUN [ \"$(stat -c %a /to/one)\" = 644 ] && [ \"$(stat -c %a /to/sub)\" = 755 ]\n",
        &[("dir/one", "1"), ("dir/sub/two", "2")],
    ),
    with_files(
        "copy link",
        "FROM BASE\nCOPY --link one /new/deep/one\nRUN [ \"$(cat /new/deep/one)\" = 1 ]\n",
        &[("one", "1")],
    ),
    with_files(
        "copy parents",
        "FROM BASE\nCOPY --parents a/b/one a/./c/two /to/\nRUN [ \"$(cat /to/a/b/one)\" = 1 ] && [ \"$(cat /to/c/two)\" = 2 ]\n",
        &[("a/b/one", "1"), ("a/c/two", "2")],
    ),
    with_files(
        "copy exclude",
        "FROM BASE\nCOPY --exclude=*.md --exclude=sub/x . /to/\nRUN [ -e /to/one ] && [ ! -e /to/two.md ] && [ ! -e /to/sub/x ] && [ -e /to/sub/y ]\n",
        &[("one", "1"), ("two.md", "2"), ("sub/x", ""), ("sub/y", "")],
    ),
    plain(
        "prefixes and suffixes",
        "FROM BASE\nARG v=v1.2.3-rc1\nENV a=${v#v} b=${v%-*} c=${v##*.} d=${v%%.*} e=${v/v/V} f=${v//1/9}\nRUN [ \"$a,$b,$c,$d,$e,$f\" = \"1.2.3-rc1,v1.2.3,3-rc1,v1,V1.2.3-rc1,v9.2.3-rc9\" ]\n",
    ),
    Feature {
        name: "network none",
        dockerfile: "FROM BASE\nRUN --network=none [ \"$(ls /sys/class/net | tr '\\n' ,)\" = lo, ] && ! wget -q -T 2 -O /dev/null http://SERVER/hello\nRUN --network=host wget -q -O /got http://SERVER/hello && [ \"$(cat /got)\" = hello ]\n",
        files: &[],
        with: "network = \"host\"",
    },
    plain(
        "onbuild from an earlier stage",
        "FROM BASE AS trigger\nONBUILD RUN echo triggered > /triggered\nFROM trigger\nRUN [ \"$(cat /triggered)\" = triggered ]\n",
    ),
    plain(
        "platform arguments",
        "FROM --platform=$BUILDPLATFORM BASE\nARG TARGETPLATFORM TARGETOS TARGETARCH BUILDPLATFORM\nRUN [ \"$TARGETPLATFORM\" = \"$TARGETOS/$TARGETARCH\" ] && [ \"$TARGETPLATFORM\" = \"$BUILDPLATFORM\" ] && [ \"$TARGETOS\" = linux ]\n",
    ),
    plain("syntax line without network", "# syntax=docker/dockerfile:1\nFROM BASE\nRUN true\n"),
];

/// The one case whose context has a file that is no text.
const TAR: &str = "add tar";

fn write_tar(shop: &Workshop, folder: &str) {
    shop.host.write("tar/in/one", "one");
    let (source, target) = (shop.host.path("tar"), shop.host.path(folder).join("in.tar.gz"));
    let mut tar = std::process::Command::new("tar");
    tar.arg("-C").arg(source).arg("-czf").arg(target).arg("in");
    assert!(tar.status().unwrap().success());
}

#[test]
fn every_feature_does_what_it_says() {
    let shop = Workshop::new();
    let server = HttpServer::start(|_| Answer::body("hello"));
    let failures: Vec<String> = FEATURES
        .iter()
        .filter_map(|feature| {
            let text = |text: &str| {
                text.replace("BASE", &shop.base()).replace("SERVER", &server.address())
            };
            let folder = format!("ctx-{}", feature.name.replace(' ', "-"));
            shop.host.write(&format!("{folder}/Dockerfile"), text(feature.dockerfile));
            for (path, content) in feature.files {
                shop.host.write(&format!("{folder}/{path}"), content);
            }
            if feature.name == TAR {
                write_tar(&shop, &folder);
            }
            let with = format!("context = {folder:?}\n{}", text(feature.with));
            let ran = shop.try_build(&with);
            (ran.code != Some(0)).then(|| format!("{}:\n{}", feature.name, ran.account()))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        FEATURES.len(),
        failures.join("\n")
    );
}
