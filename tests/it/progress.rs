//! How far a run is, where there is no terminal: plain lines.

use support::{Access, DockerRegistry, Image, TestHost, push_with_skopeo, str};

use crate::host;
use crate::import::pipeline;

/// A registry with so many tags of `app`, each an image of its own, and a pipeline that copies them.
struct Scene {
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
        let host = host();
        let tags: Vec<String> = tags.iter().map(|tag| format!("{tag:?}")).collect();
        let with = format!(
            "source = \"{}/app\"\ntarget = \"oci-layout:out\"\ntags = [{}]",
            source.address(),
            tags.join(", ")
        );
        host.write("p.toml", pipeline(&with));
        Self { host, _source: source }
    }
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
