//! Types and traits made from `wit/`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "step",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "windlass:secrets/secrets.secret": capability::SecretHandle,
        "windlass:http/http.kept": capability::Kept,
        "windlass:oci/oci.repository": capability::Repository,
        "windlass:oci/oci.blob": capability::Blob,
        "windlass:oci/oci.copy-request": crate::host::oci::PendingCopy,
        "windlass:oci/oci.copy-batch": crate::host::oci::PendingBatch,
        "windlass:oci/oci.lookup": capability::OciLookup,
        "windlass:oci/oci.forecast": capability::Forecast,
        "windlass:oci/oci.copied": capability::Copied,
        "windlass:build/build.context": capability::BuildContext,
        "windlass:build/build.builder": crate::host::build::PendingBuilder,
        "windlass:build/build.filesystem": capability::BuildFilesystem,
        "windlass:build/build.copy-request": capability::BuildCopy,
        "windlass:build/build.run-request": capability::BuildCommand,
        "windlass:build/build.output": capability::BuildOutput,
        "windlass:build/build.written": capability::BuildWritten,
        "windlass:build/build.rebased": capability::BuildRebased,
        "windlass:log/log.progress": capability::Progress,
        "windlass:log/log.group": capability::Group,
    },
});
