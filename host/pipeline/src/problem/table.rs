//! Problems of `[secrets]`, `[registries]`, `retry` and `[step.grant]`.

use report::{Diagnostic, Source, Span, closest};

use crate::at::At;
use crate::limits;

pub(crate) fn missing_provider(source: &Source, secret: &At<String>) -> Diagnostic {
    let name = &secret.value;
    Diagnostic::error(format!("the secret `{name}` does not say where it is `from`"))
        .at(source, secret.span, "")
        .help(format!(
            "write `{name} = {{ from = \"env\", name = \"VARIABLE\" }}`, or `from` `\"file\"`, \
             `\"store\"`, `\"azure-key-vault\"` or `\"stdin\"`"
        ))
}

pub(crate) fn secret_needs_key(
    source: &Source,
    secret: &At<String>,
    provider: &str,
    key: &str,
) -> Diagnostic {
    let example = match key {
        "path" => "path = \"/run/secrets/token\"".to_owned(),
        "vault" => "vault = \"mykeyvault\"".to_owned(),
        _ => format!("name = \"{}\"", secret.value.to_ascii_uppercase().replace('-', "_")),
    };
    Diagnostic::error(format!(
        "the secret `{}` is from `{provider}` and needs a `{key}`",
        secret.value
    ))
    .at(source, secret.span, "")
    .help(format!("add `{example}`"))
}

pub(crate) fn secret_key_unused(
    source: &Source,
    span: Span,
    key: &str,
    provider: &str,
) -> Diagnostic {
    Diagnostic::error(format!("`{key}` means nothing for a secret from `{provider}`"))
        .at(source, span, "")
        .help(format!("remove `{key}`, or change `from`"))
}

pub(crate) fn second_from_stdin(
    source: &Source,
    secret: &At<String>,
    first: &At<String>,
) -> Diagnostic {
    let (first_name, name) = (&first.value, &secret.value);
    Diagnostic::error(format!("two secrets are from standard input: `{first_name}` and `{name}`"))
        .at(source, secret.span, "it is read once, whole")
        .at(source, first.span, "this one has it")
        .help(format!(
            "take `{name}` from elsewhere, such as `from = \"file\"` with `path = \"/dev/fd/3\"` and \
             `3< FILE` behind the command"
        ))
}

pub(crate) fn not_a_host(source: &Source, host: &At<String>) -> Diagnostic {
    let found = &host.value;
    let name = found.split("://").last().unwrap_or_default();
    let name = name.split('/').next().unwrap_or_default();
    let help = Some(name)
        .filter(|name| !name.is_empty() && !name.contains(['@', ' ', '?', '#']))
        .map(|name| format!("write `[registries.\"{name}\"]`"));
    Diagnostic::error(format!("`{found}` is not the host of a registry"))
        .at(source, host.span, "expected a host, with a port or a path if need be")
        .maybe_help(help)
}

pub(crate) fn plain_password(source: &Source, span: Span, key: &str) -> Diagnostic {
    let name = match key {
        "client-secret" | "certificate" => key.to_owned(),
        _ => format!("registry-{key}"),
    };
    Diagnostic::error(format!("`{key}` is written into the file"))
        .at(source, span, "expected a secret")
        .help(format!(
            "declare it, `[secrets] {name} = {{ from = \"env\", name = \"…\" }}`, and write \
             `{key} = {{ secret = \"{name}\" }}`"
        ))
        .help("change the value where it is valid: whoever has read the file knows it")
}

pub(crate) fn half_an_identity(
    source: &Source,
    span: Span,
    host: &str,
    given: &str,
    other: &str,
) -> Diagnostic {
    Diagnostic::error(format!("the registry `{host}` has a `{given}` and no `{other}`"))
        .at(source, span, "")
        .help("a client certificate is `cert = \"client.pem\"` and `key = \"client.key\"`")
}

pub(crate) fn password_without_username(source: &Source, span: Span, host: &str) -> Diagnostic {
    Diagnostic::error(format!("the registry `{host}` has a `password` and no `username`"))
        .at(source, span, "")
        .help("add `username = \"…\"`, or use `token` for a bearer token")
}

pub(crate) fn token_and_password(source: &Source, span: Span, host: &str) -> Diagnostic {
    Diagnostic::error(format!("the registry `{host}` has a `token` and a `password`"))
        .at(source, span, "")
        .help("keep one of them")
}

pub(crate) fn unknown_secret(
    source: &Source,
    span: Span,
    secret: &str,
    known: &[&str],
) -> Diagnostic {
    let help = closest(secret, known.iter().copied()).map_or_else(
        || format!("declare it: `[secrets] {secret} = {{ from = \"env\", name = \"…\" }}`"),
        |near| format!("did you mean `{near}`?"),
    );
    Diagnostic::error(format!("there is no secret `{secret}` in `[secrets]`"))
        .at(source, span, "")
        .help(help)
}

pub(crate) fn wrong_attempts(source: &Source, attempts: &At<i64>) -> Diagnostic {
    let limit = limits::ATTEMPTS;
    Diagnostic::error(format!("`attempts` is `{}`, expected 1 to {limit}", attempts.value))
        .at(source, attempts.span, "")
        .help("it counts every try, the first included: `attempts = 3`")
}

pub(crate) fn granted_secret_unknown(
    source: &Source,
    span: Span,
    secret: &str,
    step: &str,
    known: &[&str],
) -> Diagnostic {
    let help = closest(secret, known.iter().copied()).map_or_else(
        || format!("declare it: `[secrets] {secret} = {{ from = \"env\", name = \"…\" }}`"),
        |near| format!("did you mean `{near}`?"),
    );
    Diagnostic::warning(format!(
        "the step `{step}` is granted the secret `{secret}`, which is not in `[secrets]`"
    ))
    .at(source, span, "")
    .help(help)
}

pub(crate) fn granted_url(source: &Source, span: Span, url: &str) -> Diagnostic {
    let host = url.split("://").last().unwrap_or_default();
    Diagnostic::error(format!("`http` grants `{url}`, which is not an `http` or `https` URL"))
        .at(source, span, "")
        .help(format!("write `http = [\"https://{host}\"]`"))
}

pub(crate) fn granted_method(source: &Source, method: &At<String>, known: &[&str]) -> Diagnostic {
    let found = &method.value;
    Diagnostic::error(format!("`{found}` is not a method of HTTP"))
        .at(source, method.span, "")
        .maybe_help(crate::problem::choose(found, known))
}

pub(crate) fn single_step(source: &Source, span: Span) -> Diagnostic {
    Diagnostic::error("`step` is a table, expected a list of tables")
        .at(source, span, "")
        .help("write `[[step]]` with two brackets")
}
