//! How components are compiled; shared by the program and by its `build.rs`.

/// The one configuration. Code made under one is refused under another.
pub(crate) fn config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    // A guest gives way at every tick, so that deadlines and other steps have their turn.
    config.epoch_interruption(true);
    // The contract is synchronous; without the concurrent component model a class of bugs is absent.
    config.concurrency_support(false);
    config.wasm_memory64(false);
    config
}
