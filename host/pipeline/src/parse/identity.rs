//! `[identity.NAME]`.

use crate::at::At;
use crate::problem;
use crate::reader::{Item, Reader, Table, span};
use crate::schema::{
    CloudWord, EndpointsSpec, IdentityEntry, IdentityKind, LinkWord, ManagedSpec, TextOrSecret,
};

use super::read_secret_ref;

pub(crate) const IDENTITY: &[&str] = &[
    "kind",
    "tenant",
    "client-id",
    "client-secret",
    "certificate",
    "federated-token-file",
    "managed",
    "use",
    "cloud",
    "endpoints",
    "ca",
];
pub(crate) const ENDPOINTS: &[&str] = &[
    "login",
    "arm",
    "arm-audience",
    "graph",
    "vault",
    "vault-suffix",
    "registry",
    "registry-suffix",
];
pub(crate) const ASSIGNED: &[&str] = &["client-id", "resource-id"];

const KINDS: [(&str, IdentityKind); 1] = [("azure", IdentityKind::Azure)];

const LINKS: [(&str, LinkWord); 6] = [
    ("client-secret", LinkWord::ClientSecret),
    ("certificate", LinkWord::Certificate),
    ("github", LinkWord::Github),
    ("federated-token-file", LinkWord::FederatedTokenFile),
    ("managed", LinkWord::Managed),
    ("cli", LinkWord::Cli),
];

const CLOUDS: [(&str, CloudWord); 3] =
    [("public", CloudWord::Public), ("china", CloudWord::China), ("us-gov", CloudWord::UsGov)];

/// What `managed` may be.
const MANAGED: &str = "`true`, `\"system\"`, or a table with `client-id` or `resource-id`";

pub(super) fn read_identity<'a>(
    reader: &'a Reader<'a>,
    name: &At<String>,
    item: &'a Item<'a>,
) -> Option<IdentityEntry> {
    let table = reader.open(item, "an identity", IDENTITY)?;
    let kind = table.word("kind", &KINDS);
    if table.item("kind").is_none() {
        let example = "kind = \"azure\"";
        reader.report(problem::missing_key(
            reader.source,
            name.span,
            "kind",
            "an identity",
            example,
        ));
    }
    let certificate = table.item("certificate").and_then(|item| {
        if item.get_ref().is_table() {
            let secret = read_secret_ref(reader, item, "certificate")?;
            return Some(At::new(TextOrSecret::Secret(secret.value), secret.span));
        }
        let text = reader.text(item, "`certificate`", "a path or `{ secret = \"…\" }`")?;
        Some(At::new(TextOrSecret::Text(text.value), text.span))
    });
    let links = table.item("use").and_then(|item| reader.items(item, "`use`")).unwrap_or_default();
    let use_: Vec<At<LinkWord>> =
        links.iter().filter_map(|item| reader.word(item, "`use`", &LINKS)).collect();
    unused(reader, &table, &use_);
    Some(IdentityEntry {
        kind,
        tenant: table.text("tenant"),
        client_id: table.text("client-id"),
        client_secret: table
            .item("client-secret")
            .and_then(|item| read_secret_ref(reader, item, "client-secret")),
        certificate,
        federated_token_file: table.text("federated-token-file"),
        managed: table.item("managed").and_then(|item| read_managed(reader, item)),
        use_,
        cloud: table.word("cloud", &CLOUDS),
        endpoints: table
            .table("endpoints", "`endpoints`", ENDPOINTS)
            .map(|table| read_endpoints(&table))
            .unwrap_or_default(),
        ca: table.text("ca"),
    })
}

/// A credential that `use` leaves out is there for nothing.
fn unused(reader: &Reader<'_>, table: &Table<'_>, use_: &[At<LinkWord>]) {
    if use_.is_empty() {
        return;
    }
    for (key, link) in LINKS {
        let is_used = use_.iter().any(|word| word.value == link);
        if let (false, Some(place)) = (is_used, table.key_span(key)) {
            reader.report(problem::unused_credential(reader.source, place, key));
        }
    }
}

fn read_managed<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<At<ManagedSpec>> {
    let value = item.get_ref();
    let wrong = || {
        reader.report(reader.wrong_type("`managed`", item, MANAGED));
        None
    };
    if value.as_bool() == Some(true) || value.as_str() == Some("system") {
        return Some(At::new(ManagedSpec::System, span(item)));
    }
    if !value.is_table() {
        return wrong();
    }
    let table = reader.open(item, "`managed`", ASSIGNED)?;
    match (table.text("client-id"), table.text("resource-id")) {
        (Some(id), None) => Some(At::new(ManagedSpec::ClientId(id.value), span(item))),
        (None, Some(id)) => Some(At::new(ManagedSpec::ResourceId(id.value), span(item))),
        _ => wrong(),
    }
}

fn read_endpoints(table: &Table<'_>) -> EndpointsSpec {
    EndpointsSpec {
        login: table.text("login"),
        arm: table.text("arm"),
        arm_audience: table.text("arm-audience"),
        graph: table.text("graph"),
        vault: table.text("vault"),
        vault_suffix: table.text("vault-suffix"),
        registry: table.text("registry"),
        registry_suffix: table.text("registry-suffix"),
    }
}
