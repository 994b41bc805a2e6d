//! What wasmtime says, in words for a person.

use report::{Fault, Kind, Side};
use wasmtime::component::Component;
use wasmtime::{Engine, Trap};

use crate::bindings::windlass::types::errors::Error;
use crate::limits;

/// The packages of which this host offers interfaces, with the version it speaks.
const SPOKEN: [(&str, &str); 15] = [
    ("windlass:http/", "0.1"),
    ("windlass:log/", "0.1"),
    ("windlass:oci/", "0.1"),
    ("windlass:secrets/", "0.1"),
    ("windlass:state/", "0.1"),
    ("windlass:step/", "0.1"),
    ("windlass:types/", "0.1"),
    ("windlass:workspace/", "0.1"),
    ("wasi:cli/", "0.2"),
    ("wasi:clocks/", "0.2"),
    ("wasi:filesystem/", "0.2"),
    ("wasi:http/", "0.2"),
    ("wasi:io/", "0.2"),
    ("wasi:random/", "0.2"),
    ("wasi:sockets/", "0.2"),
];

/// The compiler refuses the component.
pub(crate) fn not_loadable(error: &wasmtime::Error, label: &str) -> Fault {
    let text = format!("{error:#}");
    let fault =
        Fault::new(Kind::Invalid, format!("`{label}` is not a component that this host can load"))
            .code("invalid.component")
            .cause(&text);
    if text.contains("async") {
        return fault.help("build it without async: this host speaks the synchronous contract of WASI 0.2 (componentize-qjs: `--sync`, jco: `--backend-qjs-disable-async`)");
    }
    fault.help("the file may be damaged, or built by a newer tool: try the tool's WASI 0.2 (`wasm32-wasip2`) output")
}

/// The component loads, but is made for another host.
pub(crate) fn wrong_world(
    component: &Component,
    engine: &Engine,
    error: &wasmtime::Error,
    label: &str,
) -> Fault {
    let kind = component.component_type();
    let exports: Vec<String> = kind.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let foreign: Vec<String> = kind
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .filter(|name| !is_spoken(name))
        .collect();
    let fault = |message: String| Fault::new(Kind::Invalid, message).code("invalid.world");
    if !foreign.is_empty() {
        return fault(format!("`{label}` imports what windlass does not offer"))
            .cause(format!("it imports {}", report::and_list(&foreign)))
            .help("a plugin may import `windlass:*@0.1` and `wasi:*@0.2`; see wit/step.wit");
    }
    let is_step = |name: &String| name.starts_with("windlass:step/lifecycle@0.1");
    if !exports.iter().any(is_step) {
        let has =
            if exports.is_empty() { "nothing".to_owned() } else { report::and_list(&exports) };
        return fault(format!(
            "`{label}` is no windlass plugin: it exports no `windlass:step/lifecycle@0.1`"
        ))
        .cause(format!("it exports {has}"))
        .help("build it for the world `windlass:step/step`; see wit/step.wit");
    }
    fault(format!("`{label}` was built for another version of the contract"))
        .cause(format!("{error:#}"))
        .help("rebuild it with the wit/ of this windlass, or use a newer windlass")
}

fn is_spoken(import: &str) -> bool {
    SPOKEN.iter().any(|(package, version)| {
        let at_version = import.strip_prefix(package).and_then(|rest| rest.split_once('@'));
        at_version.is_some_and(|(_, found)| {
            found.strip_prefix(version).is_some_and(|rest| rest.starts_with('.'))
        })
    })
}

/// The guest broke: a trap, a limit, an exit. `last_words` is the end of what it wrote to stderr.
pub(crate) fn broken(error: &wasmtime::Error, last_words: &str) -> Fault {
    let text = format!("{:#}", error.root_cause());
    let fault = |what: &str| Fault::new(Kind::Trap, what).side(Side::Plugin);
    let trap = error.downcast_ref::<Trap>();
    let mut fault = if trap == Some(&Trap::StackOverflow) {
        fault("the plugin ran out of stack").code("trap.stack")
    } else if trap == Some(&Trap::UnreachableCodeReached) {
        fault("the plugin broke down").code("trap.unreachable")
    } else if let Some(trap) = trap {
        fault("the plugin broke down").code("trap").cause(trap)
    } else if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        fault("the plugin ended itself instead of answering")
            .code("trap.exit")
            .cause(format!("it exited with {}", exit.0))
    } else if text.contains("forcing trap when growing memory") {
        fault("the plugin wants more memory than a step may have")
            .code("trap.memory")
            .cause(format!("the limit is {} MiB", limits::Limits::STEP.memory_bytes >> 20))
            .help("keep bytes of images in the host: hand on blobs and layers by their handles")
    } else {
        fault("the plugin broke down").code("trap").cause(&text)
    };
    if !last_words.is_empty() {
        fault = fault.cause(format!("its last words: {last_words}"));
    }
    fault
}

/// The guest answered with an error.
pub(crate) fn of_guest(error: Error) -> Fault {
    let Error { code, message, hint, retryable, details } = error;
    let code = cut(code, limits::MESSAGE_BYTES);
    let mut fault = Fault::new(Kind::of_code(&code), cut(message, limits::MESSAGE_BYTES))
        .retry(retryable)
        .code(code);
    fault.help = hint.map(|hint| cut(hint, limits::MESSAGE_BYTES));
    fault.causes = details.map(causes_of).unwrap_or_default();
    fault
}

/// The causes that [`to_guest`] wrote, if a plugin handed them on; any other details are one cause.
fn causes_of(details: String) -> Vec<String> {
    let ours = serde_json::from_str::<Details>(&details).ok();
    let causes = ours.map_or_else(|| vec![details], |details| details.causes);
    causes.into_iter().map(|cause| cut(cause, limits::MESSAGE_BYTES)).collect()
}

/// What a host call answers with to a guest.
pub(crate) fn to_guest(fault: Fault) -> Error {
    let Fault { code, message, causes, help, retry, .. } = fault;
    let details = (!causes.is_empty()).then(|| serde_json::json!({ "causes": causes }).to_string());
    Error { code, message, hint: help, retryable: retry, details }
}

/// What the host puts into an error's `details`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Details {
    causes: Vec<String>,
}

/// `text` of at most `limit` bytes, whole characters.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let mut end = limit;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}
