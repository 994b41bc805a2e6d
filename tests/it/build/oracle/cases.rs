//! The Dockerfiles, and where we differ on purpose.

/// A Dockerfile, `BASE` its base; every context has the same files, see `write_context`.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) dockerfile: &'static str,
    /// The text of its `.dockerignore`.
    pub(super) ignore: &'static str,
    /// Where we differ.
    pub(super) allowed: &'static [Difference],
}

/// A difference, and why it is right.
pub(super) struct Difference {
    /// How the line about it begins.
    pub(super) begins: &'static str,
    /// The argument, for whoever reads this.
    #[expect(dead_code, reason = "said once, here")]
    pub(super) because: &'static str,
}

const fn case(name: &'static str, dockerfile: &'static str) -> Case {
    Case { name, dockerfile, ignore: "", allowed: &[] }
}

const fn differing(
    name: &'static str,
    dockerfile: &'static str,
    allowed: &'static [Difference],
) -> Case {
    Case { name, dockerfile, ignore: "", allowed }
}

/// Where we differ in every image.
pub(super) const EVERYWHERE: &[Difference] = &[
    Difference { begins: "/etc/hostname: nothing, buildah: 755 0:0 file 0 ", because: MOUNTS },
    Difference { begins: "/etc/hosts: nothing, buildah: 755 0:0 file 0 ", because: MOUNTS },
    Difference { begins: "/etc/resolv.conf: nothing, buildah: 755 0:0 file 0 ", because: MOUNTS },
    Difference { begins: "/run: nothing, buildah: 755 0:0 directory", because: MOUNTS },
];

const MOUNTS: &str = "buildah leaves the places at which it mounted something for a `RUN`; they are no \
                      part of what the command did";

const OCI: &str = "buildah drops what image-spec does not name; Docker and BuildKit keep it, and a \
                   build on this image needs it";

pub(super) const CASES: &[Case] = &[
    case("env", "FROM BASE\nENV A=1 B=\"two words\"\nENV C=${A}x\nENV D three four\nENV A=5\n"),
    case("labels", "FROM BASE\nLABEL a=1 \"b.c\"=\"two words\"\nLABEL a=3\n"),
    case("cmd of a shell", "FROM BASE\nCMD echo $HOME\n"),
    case("cmd and entrypoint", "FROM BASE\nENTRYPOINT [\"/bin/sh\", \"-c\"]\nCMD [\"true\"]\n"),
    case("entrypoint takes the base's cmd away", "FROM BASE\nENTRYPOINT echo one\n"),
    case("ports", "FROM BASE\nEXPOSE 80 53/udp\nEXPOSE 8080/tcp\n"),
    differing(
        "volumes",
        "FROM BASE\nVOLUME /a /b\nVOLUME [\"/d\"]\n",
        &[Difference {
            begins: "/d: nothing, buildah: 755 0:0 directory",
            because: "buildah makes the directory of the last volume, and of that alone; whoever \
                      runs the image makes all, as with BuildKit's",
        }],
    ),
    case("stop signal", "FROM BASE\nSTOPSIGNAL SIGQUIT\n"),
    case("user", "FROM BASE\nUSER app:staff\n"),
    case("workdir", "FROM BASE\nWORKDIR /x\nWORKDIR y/z\nRUN pwd > here\n"),
    case("copy a file", "FROM BASE\nCOPY one /a/b/one\nCOPY two /two\nCOPY run.sh /bin/\n"),
    case("copy a directory", "FROM BASE\nCOPY dir /to\nCOPY dir /slash/\n"),
    case("copy into what is there", "FROM BASE\nCOPY one /tmp/\nCOPY dir /root\nCOPY dir /tmp\n"),
    case("copy patterns", "FROM BASE\nCOPY dir/*.txt o?e /to/\n"),
    case("copy to the workdir", "FROM BASE\nWORKDIR /srv/app\nCOPY one ./\nCOPY dir sub\n"),
    case("copy over", "FROM BASE\nCOPY one /etc/motd\nCOPY two /etc/motd\n"),
    case(
        "chown",
        "FROM BASE\nCOPY --chown=7:8 one /n/one\nCOPY --chown=app:staff dir /home/app/d\n",
    ),
    case("chmod", "FROM BASE\nCOPY --chmod=0751 one /one\nCOPY --chmod=4755 run.sh /bin/run\n"),
    case("add an archive", "FROM BASE\nADD in.tar.gz /to/\nCOPY in.tar.gz /kept\n"),
    case(
        "stages",
        "FROM BASE AS one\nRUN mkdir -p /made/deep && echo 1 > /made/deep/f && chmod 700 /made\n\
         FROM BASE\nCOPY --from=one /made /got\nCOPY --from=0 /made/deep/f /f\n",
    ),
    case("copy of an image", "FROM scratch\nCOPY --from=BASE /etc/passwd /etc/group /etc/\n"),
    case("run", "FROM BASE\nRUN umask 027; mkdir /d; echo 1 > /d/f; ln -s f /d/s; mkfifo /d/p\n"),
    case("run with owners", "FROM BASE\nRUN mkdir /d && echo 1 > /d/f && chown -R app:staff /d\n"),
    differing(
        "hard links",
        "FROM BASE\nRUN echo 1 > /a && ln /a /b && chmod 600 /b\nRUN echo 2 >> /b\n",
        &[Difference {
            begins: "/a: 600 0:0 file 2 ",
            because: "each `RUN` is a layer, and what is written to one name of a file below is not \
                      seen under another, as with Docker; buildah makes one layer of all",
        }],
    ),
    case("removal", "FROM BASE\nRUN echo 1 > /etc/x\nRUN rm /etc/x /etc/group && rm -r /home\n"),
    case("a file for a directory", "FROM BASE\nRUN rm -r /home/app && echo 1 > /home/app\n"),
    case(
        "a directory made anew",
        "FROM BASE\nRUN mkdir /d && echo 1 > /d/old\nRUN rm -r /d && mkdir /d && echo 2 > /d/new\n",
    ),
    case("a directory moved", "FROM BASE\nCOPY dir /d\nRUN mv /d /e && mv /e/deep /e/moved\n"),
    case("special bits", "FROM BASE\nRUN mkdir -m 1777 /t && echo > /s && chmod 6755 /s\n"),
    case("run as somebody", "FROM BASE\nUSER app\nWORKDIR /home/app\nRUN id -un > /tmp/who\n"),
    case(
        "arguments",
        "ARG tag=1\nFROM BASE\nARG a=x\nARG tag\nENV A=$a T=${tag:-none}\nRUN echo $a$tag > /a\n",
    ),
    differing(
        "shell",
        "FROM BASE\nSHELL [\"/bin/sh\", \"-ec\"]\nRUN echo 1 > /one\nCMD echo two\n",
        &[
            Difference { begins: "Shell: [\"/bin/sh\",\"-ec\"], buildah: null", because: OCI },
            Difference { begins: "Cmd: [\"/bin/sh\",\"-ec\",\"echo two\"]", because: OCI },
        ],
    ),
    differing(
        "onbuild",
        "FROM BASE\nONBUILD RUN echo 1 > /one\nONBUILD COPY one /two\n",
        &[Difference { begins: "OnBuild: ", because: OCI }],
    ),
    case("a link to a directory", "FROM BASE\nRUN mkdir /d && ln -s d /l\nCOPY one /l/\n"),
    Case {
        name: "ignored",
        dockerfile: "FROM BASE\nCOPY . /to/\n",
        ignore: "**/*.md\ndir/deep\n!dir/deep/c.txt\none\n",
        allowed: &[Difference {
            begins: "/to/dir/deep: 750 0:0 directory, buildah: 755",
            because: "a directory of which something is kept is kept as it is, as in BuildKit",
        }],
    },
    case("maintainer", "FROM BASE\nMAINTAINER somebody\n"),
    case(
        "a comment and a continuation",
        "# one\nFROM BASE\nRUN echo 1 > /a && \\\n# two\n  ln -s a /b\n",
    ),
];
