//! Problems of `[identity]`, and of what names one.

use report::{Diagnostic, Source, Span, closest};

use crate::at::At;

pub(crate) fn unused_credential(source: &Source, span: Span, key: &str) -> Diagnostic {
    Diagnostic::error(format!("`{key}` is given and `use` leaves it out"))
        .at(source, span, "")
        .help(format!("add `\"{key}\"` to `use`, or remove `{key}`"))
}

pub(crate) fn unknown_identity(
    source: &Source,
    span: Span,
    identity: &str,
    known: &[&str],
) -> Diagnostic {
    let help = closest(identity, known.iter().copied()).map_or_else(
        || format!("declare it: `[identity.{identity}]` with `kind = \"azure\"`"),
        |near| format!("did you mean `{near}`?"),
    );
    Diagnostic::error(format!("there is no identity `{identity}` in `[identity]`"))
        .at(source, span, "")
        .help(help)
}

pub(crate) fn which_identity(source: &Source, secret: &At<String>, known: &[&str]) -> Diagnostic {
    Diagnostic::error(format!("the secret `{}` does not say which identity reads it", secret.value))
        .at(source, secret.span, "")
        .help(format!("add `identity = \"…\"`: {}", report::or_list(known)))
}

pub(crate) fn identity_needs_itself(
    source: &Source,
    span: Span,
    identity: &str,
    secret: &str,
) -> Diagnostic {
    Diagnostic::error(format!(
        "the identity `{identity}` needs the secret `{secret}`, which only it can read"
    ))
    .at(source, span, "")
    .help("keep the credential of an identity elsewhere: in `env`, `file` or `store`")
    .help("or log in without one: `managed = true`, `federated-token-file`")
}

pub(crate) fn identity_and_credential(
    source: &Source,
    span: Span,
    host: &str,
    key: &str,
) -> Diagnostic {
    Diagnostic::error(format!("the registry `{host}` has an `identity` and a `{key}`"))
        .at(source, span, "")
        .help("keep one of them: an identity is a credential")
}

pub(crate) fn wrong_vault(source: &Source, vault: &At<String>) -> Diagnostic {
    Diagnostic::error(format!("`{}` is not a vault", vault.value))
        .at(source, vault.span, "")
        .help("write its name, such as `mykeyvault`, or its URL: `https://mykeyvault.vault.azure.net`")
        .help("a name has 3 to 24 letters, digits and single dashes, a letter first")
}

pub(crate) fn wrong_vault_secret(source: &Source, span: Span, name: &str) -> Diagnostic {
    Diagnostic::error(format!("`{name}` cannot name a secret of a vault"))
        .at(source, span, "")
        .help("use letters, digits and dashes, at most 127")
}

pub(crate) fn wrong_vault_version(source: &Source, version: &At<String>) -> Diagnostic {
    Diagnostic::error(format!("`{}` is not a version of a secret", version.value))
        .at(source, version.span, "")
        .help("a version is 32 hexadecimal digits; without one, the newest is read")
}
