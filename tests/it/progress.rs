//! How far a run is: a bar for each image in flight on a terminal, plain lines everywhere else.

use support::{Access, DockerRegistry, FaultProxy, Image, Link, TestHost, push_with_skopeo, str};

use crate::host;
use crate::import::pipeline;

/// The width of the terminal.
const COLUMNS: usize = 120;

/// A registry with so many tags of `app`, each an image of its own, behind a line that can be thin.
struct Scene {
    line: FaultProxy,
    host: TestHost,
    _source: DockerRegistry,
}

impl Scene {
    fn new(tags: &[&str], size: usize) -> Self {
        let source = DockerRegistry::start(Access::Anonymous);
        for (number, tag) in tags.iter().enumerate() {
            let image = Image::multi_arch(&["linux/amd64"], size + number);
            push_with_skopeo(&image, &source, Access::Anonymous, &format!("app:{tag}"));
        }
        let line = FaultProxy::before(&source.address());
        let tags: Vec<String> = tags.iter().map(|tag| format!("{tag:?}")).collect();
        let with = format!(
            "source = \"{}/app\"\ntarget = \"oci-layout:out\"\ntags = [{}]",
            line.address(),
            tags.join(", ")
        );
        let host = host().env("TERM", "xterm").file("p.toml", pipeline(&with));
        Self { line, host, _source: source }
    }

    /// What a terminal is sent by a run after `setup`, in pieces between one place of the cursor
    /// and the next.
    fn on_a_terminal(&self, setup: &str) -> Vec<String> {
        let run = format!("stty cols {COLUMNS} rows 30; {setup} $0 run p.toml");
        let script = format!("script --quiet --return --command \"{run}\" /dev/null");
        let ran = self.host.run_beside(&["sh", "-c", &script]);
        ran.exits(0);
        pieces(&ran.stdout)
    }
}

/// The text between what moves the cursor, without colours.
fn pieces(sent: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = sent.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_moved = match letter {
            '\r' | '\n' => true,
            '\u{1b}' if letters.next_if_eq(&'[').is_some() => {
                letters.by_ref().find(char::is_ascii_alphabetic) != Some('m')
            }
            _ => {
                pieces.last_mut().unwrap().push(letter);
                false
            }
        };
        if is_moved {
            pieces.push(String::new());
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Whether it is a bar that is neither empty nor full.
fn is_bar(piece: &str) -> bool {
    piece.contains("[=") && piece.contains("=>")
}

#[test]
fn where_there_is_no_terminal_a_line_says_what_was_copied() {
    let scene = Scene::new(&["v1"], 1 << 20);
    scene.host.run(&["run", "p.toml"]).exits(0).stdout_is("").stderr_is(str![[r#"
run [RUN] of import: 1 step
import  copy 127.0.0.1:[PORT]/app:v1 to oci-layout:out:v1: 1.0 MiB in [TOOK]
import  copied `127.0.0.1:[PORT]/app:v1` to `oci-layout:out:v1` (sha256:[DIGEST]): 5 sent (1.0 MiB), 0 mounted, 0 there already
import  changed in [TOOK]: copied 1 of 1 image, 1.0 MiB sent
run succeeded in [TOOK]

"#]]);
    // Nothing is moved, so there is nothing to say of it.
    scene.host.run(&["run", "p.toml"]).exits(0).stdout_is("").stderr_is(str![[r#"
run [RUN] of import: 1 step
import  `oci-layout:out:v1` is up to date with `127.0.0.1:[PORT]/app:v1` (sha256:[DIGEST])
import  unchanged in [TOOK]: up to date
run succeeded in [TOOK]

"#]]);
    std::fs::remove_dir_all(scene.host.path("out")).unwrap();
    scene.host.run(&["run", "p.toml", "--quiet"]).exits(0).stdout_is("").stderr_is("");
}

#[test]
fn on_a_terminal_each_image_in_flight_has_a_bar() {
    let tags = ["a", "b", "c", "d", "e"];
    let scene = Scene::new(&tags, 200_000);
    // So thin that all of them are drawn.
    let bytes_per_second = Some(400_000);
    scene.line.link(Link { bytes_per_second, ..Link::default() });
    let shown = scene.on_a_terminal("");
    for tag in tags {
        let title = format!("copy {}/app:{tag} to oci-layout:out:{tag}", scene.line.address());
        let is_of_it = |piece: &&String| is_bar(piece) && piece.contains(&title);
        assert!(shown.iter().any(|piece| is_of_it(&piece)), "{title}: {shown:#?}");
    }
    // More than are seen at a time, so they are counted too.
    assert!(shown.iter().any(|piece| piece.contains("of 5 ") && piece.contains("copy 5 images")));
    // What is left is what was done.
    let last = shown.iter().filter(|piece| piece.starts_with("import  copied `")).count();
    assert_eq!(last, tags.len(), "{shown:#?}");
    assert!(shown.last().unwrap().starts_with("run succeeded"), "{shown:#?}");
}

#[test]
fn a_terminal_of_a_ci_service_gets_lines() {
    let scene = Scene::new(&["v1"], 1000);
    let shown = scene.on_a_terminal("CI=true");
    assert!(!shown.iter().any(|piece| is_bar(piece)), "{shown:#?}");
    let line = format!("copy {}/app:v1 to oci-layout:out:v1: ", scene.line.address());
    assert!(shown.iter().any(|piece| piece.contains(&line)), "{shown:#?}");
}
