//! What is loaded as a plugin and is none.

use support::{Embedded, Image, TestHost, str};

use crate::host;

/// How every component begins, and what a component of nothing is.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// The binary format of a later tool.
const LATER_COMPONENT: &[u8] = b"\0asm\x0e\0\x01\0";
/// `(component (import "acme:thing/thing@1.0.0" (instance)))`.
const FOREIGN_IMPORT: &[u8] =
    b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\x00\x0a\x1b\x01\x00\x16acme:thing/thing@1.0.0\x05\x00";

/// A pipeline that uses `plugin.wasm`, which holds `bytes`.
fn using(bytes: &[u8]) -> TestHost {
    using_place("file:./plugin.wasm").file("plugin.wasm", bytes)
}

fn using_place(uses: &str) -> TestHost {
    let head = "schema = 1\n[pipeline]\nname = \"one\"\n";
    host().file("p.toml", format!("{head}\n[[step]]\nid = \"step\"\nuses = \"{uses}\"\n"))
}

#[test]
fn text_is_no_component() {
    using(b"#!/bin/sh\necho hello\n").run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `file:./plugin.wasm` cannot be used: `file:./plugin.wasm` is not WebAssembly
 --> p.toml:7:8
  |
7 | uses = "file:./plugin.wasm"
  |        ^^^^^^^^^^^^^^^^^^^^
  |
  = help: a plugin is a component built for `wasm32-wasip2`


"#]]);
}

#[test]
fn an_empty_file_is_no_component() {
    using(b"").run(&["run", "p.toml"]).exits(2).stderr_says(&["p.toml:7", "plugin.wasm"]);
}

#[test]
fn a_core_module_is_no_component_and_there_is_a_way_to_make_one() {
    using(EMPTY_MODULE).run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `file:./plugin.wasm` cannot be used: `file:./plugin.wasm` is a core module, not a component
 --> p.toml:7:8
  |
7 | uses = "file:./plugin.wasm"
  |        ^^^^^^^^^^^^^^^^^^^^
  |
  = help: build it with `--target wasm32-wasip2`, or wrap it with `wasm-tools component new`


"#]]);
}

#[test]
fn a_component_of_a_later_tool_is_told_so() {
    using(LATER_COMPONENT).run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `file:./plugin.wasm` cannot be used: `file:./plugin.wasm` has the WebAssembly version 0e000100
 --> p.toml:7:8
  |
7 | uses = "file:./plugin.wasm"
  |        ^^^^^^^^^^^^^^^^^^^^
  |
  = help: build it with a tool for the component model (version 0d000100)


"#]]);
}

#[test]
fn a_component_that_exports_no_step_is_none_of_ours() {
    using(EMPTY_COMPONENT).run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `file:./plugin.wasm` cannot be used: `file:./plugin.wasm` is no windlass plugin: it exports no `windlass:step/lifecycle@0.1`: it exports nothing
 --> p.toml:7:8
  |
7 | uses = "file:./plugin.wasm"
  |        ^^^^^^^^^^^^^^^^^^^^
  |
  = help: build it for the world `windlass:step/step`; see wit/step.wit


"#]]);
}

#[test]
fn a_component_for_another_world_is_told_what_it_imports() {
    using(FOREIGN_IMPORT).run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `file:./plugin.wasm` cannot be used: `file:./plugin.wasm` imports what windlass does not offer: it imports `acme:thing/thing@1.0.0`
 --> p.toml:7:8
  |
7 | uses = "file:./plugin.wasm"
  |        ^^^^^^^^^^^^^^^^^^^^
  |
  = help: a plugin may import `windlass:*@0.1` and `wasi:*@0.2`; see wit/step.wit


"#]]);
}

#[test]
fn a_component_that_is_cut_off_or_damaged_is_refused() {
    let guest = TestHost::guest("noop");
    let whole = std::fs::read(guest.trim_start_matches("file:")).unwrap();
    let cut = using(&whole[..whole.len() / 2]).run(&["run", "p.toml"]);
    cut.exits(2).stderr_says(&["p.toml:7", "is not a component that this host can load"]);
    let mut damaged = whole;
    damaged[5000..5100].fill(0xff);
    let ran = using(&damaged).run(&["run", "p.toml"]);
    ran.exits(2).stderr_says(&["p.toml:7"]);
}

#[test]
fn a_component_over_the_limit_is_not_even_read() {
    let host = using(b"");
    // Without content: a hole takes no room.
    let file = std::fs::File::options().write(true).open(host.path("plugin.wasm")).unwrap();
    file.set_len((128 << 20) + 1).unwrap();
    host.run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `file:./plugin.wasm` cannot be used: `file:./plugin.wasm` is larger than 128 MiB
 --> p.toml:7:8
  |
7 | uses = "file:./plugin.wasm"
  |        ^^^^^^^^^^^^^^^^^^^^
  |
  = help: strip it (`wasm-tools strip`), or keep data out of it


"#]]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    using_place("file:./no.wasm").run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `file:./no.wasm` cannot be used: the plugin cannot be read: failed to open file `./no.wasm`: No such file or directory (os error 2)
 --> p.toml:7:8
  |
7 | uses = "file:./no.wasm"
  |        ^^^^^^^^^^^^^^^^
  |
  = help: build it first, or correct the path: it is relative to the pipeline file


"#]]);
}

#[test]
fn a_folder_is_no_component() {
    let host = using_place("file:./folder").file("folder/a", "");
    host.run(&["run", "p.toml"]).exits(2).stderr_says(&["p.toml:7", "folder"]);
}

#[test]
fn a_builtin_that_is_misspelt_is_proposed() {
    using_place("import-imgae").run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `import-imgae` cannot be used: there is no builtin plugin `import-imgae`
 --> p.toml:7:8
  |
7 | uses = "import-imgae"
  |        ^^^^^^^^^^^^^^
  |
  = help: did you mean `import-image`?


"#]]);
}

#[test]
fn a_place_that_is_none_says_which_there_are() {
    using_place("ftp://example.org/a.wasm").run(&["check", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `ftp://example.org/a.wasm` cannot be used: `ftp://example.org/a.wasm` is no place of a plugin
 --> p.toml:7:8
  |
7 | uses = "ftp://example.org/a.wasm"
  |        ^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: write a builtin's name, `file:./step.wasm`, `oci://HOST/REPOSITORY:TAG`, or `https://…` with `sha256`


"#]]);
}

#[test]
fn a_web_plugin_needs_its_digest() {
    let host = using_place("https://127.0.0.1:1/a.wasm");
    host.run(&["check", "p.toml"]).exits(2).stderr_says(&["sha256"]);
}

#[test]
fn inspect_shows_what_a_builtin_takes_gives_and_asks_for() {
    let seen = host().run(&["plugin", "inspect", "import-image"]);
    let parts = ["inputs", "outputs", "asks for", "oci.pull", "oci.push", "platforms"];
    seen.exits(0);
    for part in parts {
        assert!(seen.stdout.contains(part), "{part}\n{}", seen.account());
    }
}

#[test]
fn inspect_lists_the_builtins() {
    let seen = host().run(&["plugin", "inspect"]);
    assert!(seen.exits(0).stdout.contains("import-image"), "{}", seen.account());
}

/// A run takes this for granted.
#[test]
fn the_schemas_of_the_builtins_are_json_schemas() {
    let seen = host().run(&["plugin", "inspect", "--format", "json"]);
    let builtins: serde_json::Value = serde_json::from_str(&seen.exits(0).stdout).unwrap();
    for plugin in builtins.as_array().unwrap() {
        for key in ["inputs-schema", "outputs-schema"] {
            let schema = &plugin[key];
            assert!(schema["properties"].is_object(), "{key} of {}", plugin["name"]);
            assert!(jsonschema::meta::is_valid(schema), "{key} of {}", plugin["name"]);
        }
    }
}

#[test]
fn inspect_shows_a_component_of_anyones() {
    let guest = TestHost::guest("noop");
    host().run(&["plugin", "inspect", &guest]).exits(0).stdout_is(str![[r#"
noop 0.1.0: does nothing
sha256:[DIGEST]

inputs
  none

outputs
  none

asks for
  nothing

"#]]);
    let data = host().run(&["plugin", "inspect", &guest, "--format", "json"]);
    let data: serde_json::Value = serde_json::from_str(&data.exits(0).stdout).unwrap();
    assert_eq!(data["name"], "noop");
    assert!(data["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(data["inputs-schema"]["type"], "object");
}

#[test]
fn inspect_refuses_what_is_none() {
    let host = using(EMPTY_MODULE);
    let refused = host.run(&["plugin", "inspect", "file:./plugin.wasm"]);
    assert_ne!(refused.code, Some(0));
    refused.stderr_says(&["plugin.wasm"]);
}

#[test]
fn a_plugin_comes_out_of_a_registry() {
    let guest = TestHost::guest("echo");
    let component = std::fs::read(guest.trim_start_matches("file:")).unwrap();
    let host = host();
    let root = host.path("registry");
    std::fs::create_dir_all(root.join("team/echo")).unwrap();
    Image::write_component_layout(&root.join("team/echo"), "v1", &component);
    let registry = Embedded::start(&host, &root);
    let uses = |selector: &str| format!("oci://{}/team/echo{selector}", registry.address());
    let pipeline = |uses: &str| {
        format!(
            "schema = 1\n[pipeline]\nname = \"one\"\n\n[[step]]\nid = \"step\"\n\
             uses = \"{uses}\"\nwith = {{ text = \"hello\" }}\n"
        )
    };
    host.write("p.toml", pipeline(&uses(":v1")));
    assert_eq!(crate::outputs(&host)["text"], "hello");
    host.write("p.toml", pipeline(&uses(":v2")));
    host.run(&["check", "p.toml"]).exits(2).stderr_says(&["p.toml:7", "v2"]);
    let other = format!("@sha256:{}", "0".repeat(64));
    host.write("p.toml", pipeline(&uses(&other)));
    host.run(&["check", "p.toml"]).exits(2).stderr_says(&["p.toml:7", "sha256:0000"]);
}

#[test]
fn an_image_is_no_plugin() {
    let host = host();
    let root = host.path("registry");
    std::fs::create_dir_all(root.join("app")).unwrap();
    Image::multi_arch(&["linux/amd64"], 100).write_layout(&root.join("app"), "v1");
    let registry = Embedded::start(&host, &root);
    let uses = format!("oci://{}/app:v1", registry.address());
    let host = using_place(&uses);
    host.run(&["check", "p.toml"]).exits(2).stderr_says(&["p.toml:7", "is no plugin"]);
}

#[test]
fn a_plugin_in_a_registry_that_is_down_is_transient() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let host = using_place(&format!("oci://{address}/echo:v1"));
    host.run(&["check", "p.toml"]).exits(5).stderr_says(&[&address.to_string()]);
}
