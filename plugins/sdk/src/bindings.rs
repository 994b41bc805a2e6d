//! What `wit-bindgen` makes of `wit/`: the raw contract, for what the wrappers do not cover.

#![expect(missing_docs, reason = "generated; the documentation is in wit/")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "windlass:step/step",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export",
    default_bindings_module: "windlass_plugin::bindings",
});
