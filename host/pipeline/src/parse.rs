//! Text to [`Pipeline`]: shapes and types, nothing more.
//!
//! All problems are reported at once, in the order of the file. A file of another schema is not
//! read at all: its keys may mean something else.

use report::{Diagnostic, Source, Span};
use toml::de::DeTable;

use crate::at::{At, Entries};
use crate::name::check_name;
use crate::reader::{Item, Reader, Table, span};
use crate::schema::{
    Header, InputSpec, InputType, Pipeline, RegistryEntry, SCHEMA, SecretEntry, SecretProvider,
    SecretRef, TextOrSecret,
};
use crate::{limits, problem};

mod identity;
mod on;
mod step;

pub(crate) const FILE: &[&str] =
    &["schema", "pipeline", "inputs", "secrets", "identity", "registries", "on", "step"];
pub(crate) const PIPELINE: &[&str] = &["name", "description", "timeout", "fail-fast"];
pub(crate) const INPUT: &[&str] =
    &["type", "default", "description", "required", "choices", "pattern"];
pub(crate) const SECRET: &[&str] =
    &["from", "name", "path", "vault", "version", "identity", "only-to"];
pub(crate) const REGISTRY: &[&str] =
    &["username", "password", "token", "identity", "insecure", "ca", "cert", "key"];
pub(crate) const SECRET_REF: &[&str] = &["secret"];

#[cfg(test)]
pub(crate) use identity::{ASSIGNED, ENDPOINTS, IDENTITY};
pub(crate) use on::ON;
#[cfg(test)]
pub(crate) use on::{GIT, IMAGE_UPDATE, SCHEDULE, WEBHOOK};
#[cfg(test)]
pub(crate) use step::{EXEC, GRANT, HTTP, OCI, RETRY, SECRETS, STEP, WORKSPACE};

const INPUT_TYPES: [(&str, InputType); 6] = [
    ("string", InputType::String),
    ("integer", InputType::Integer),
    ("number", InputType::Number),
    ("boolean", InputType::Boolean),
    ("list", InputType::List),
    ("object", InputType::Object),
];

const PROVIDERS: [(&str, SecretProvider); 5] = [
    ("env", SecretProvider::Env),
    ("file", SecretProvider::File),
    ("store", SecretProvider::Store),
    ("azure-key-vault", SecretProvider::AzureKeyVault),
    ("stdin", SecretProvider::Stdin),
];

/// Reads a pipeline file.
///
/// # Errors
/// Every problem of the file that shows without looking at plugins, in the order of the file.
pub fn parse(source: &Source) -> Result<Pipeline, Vec<Diagnostic>> {
    if source.text().len() > limits::FILE_BYTES {
        return Err(vec![problem::file_too_large(source)]);
    }
    let (document, errors) = DeTable::parse_recoverable(source.text());
    if !errors.is_empty() {
        return Err(syntax_errors(source, &errors));
    }
    let reader = Reader::new(source);
    let pipeline = read_file(&reader, document.get_ref());
    let mut problems = reader.into_problems();
    match pipeline {
        Some(pipeline) if problems.is_empty() => Ok(pipeline),
        _ => {
            problems.sort_by_key(Diagnostic::offset);
            Err(problems)
        }
    }
}

/// One problem for each line: what follows on the same line is an echo.
fn syntax_errors(source: &Source, errors: &[toml::de::Error]) -> Vec<Diagnostic> {
    let mut lines = std::collections::BTreeSet::new();
    errors
        .iter()
        .map(|error| (error.message(), error.span().map_or(Span::default(), Span::from)))
        .filter(|(_, span)| lines.insert(source.position(span.start).line))
        .take(limits::SYNTAX_ERRORS)
        .map(|(message, span)| problem::syntax(source, span, message))
        .collect()
}

fn read_file<'a>(reader: &'a Reader<'a>, document: &'a DeTable<'a>) -> Option<Pipeline> {
    let schema = read_schema(reader, document)?;
    let file = reader.open_table(document, Span::default(), "the file", FILE);
    let header = match file.table("pipeline", "`[pipeline]`", PIPELINE) {
        Some(table) => read_header(reader, &table),
        None => {
            if file.item("pipeline").is_none() {
                reader.report(problem::missing_pipeline(reader.source));
            }
            Header::default()
        }
    };
    Some(Pipeline {
        schema,
        pipeline: header,
        inputs: named(reader, file.item("inputs"), "[inputs]", read_input),
        secrets: named(reader, file.item("secrets"), "[secrets]", read_secret),
        identity: named(reader, file.item("identity"), "[identity]", identity::read_identity),
        registries: entries(reader, file.item("registries"), "[registries]", read_registry),
        on: file
            .table("on", "`[on]`", ON)
            .map(|table| on::read_on(reader, &table))
            .unwrap_or_default(),
        step: step::read_steps(reader, file.item("step")),
        source: reader.source.clone(),
    })
}

/// The version, before anything else: nothing if the file is not ours to read.
fn read_schema<'a>(reader: &'a Reader<'a>, document: &'a DeTable<'a>) -> Option<At<i64>> {
    let found = document.iter().find(|(key, _)| key.get_ref() == "schema");
    let Some((_, item)) = found else {
        reader.report(problem::missing_schema(reader.source));
        return Some(At::new(SCHEMA, Span::default()));
    };
    let integer = item.get_ref().as_integer();
    let schema = integer.and_then(|integer| integer.as_str().parse::<i64>().ok());
    match schema {
        Some(SCHEMA) => Some(At::new(SCHEMA, span(item))),
        Some(newer) if newer > SCHEMA => {
            reader.report(problem::newer_schema(reader.source, span(item), newer));
            None
        }
        _ => {
            reader.report(reader.wrong_type("`schema`", item, "`1`"));
            None
        }
    }
}

fn read_header<'a>(reader: &'a Reader<'a>, table: &Table<'a>) -> Header {
    let name = table.required_text("name", "name = \"import\"");
    check(reader, &name, "the pipeline's name");
    Header {
        name,
        description: table.text("description"),
        timeout: table.duration("timeout"),
        fail_fast: table.boolean("fail-fast"),
    }
}

/// A table of things that have names of our kind.
fn named<'a, T>(
    reader: &'a Reader<'a>,
    item: Option<&'a Item<'a>>,
    what: &'static str,
    read: fn(&'a Reader<'a>, &At<String>, &'a Item<'a>) -> Option<T>,
) -> Entries<T> {
    let entries = entries(reader, item, what, read);
    entries.iter().for_each(|(name, _)| check(reader, name, &format!("a name in `{what}`")));
    entries
}

fn entries<'a, T>(
    reader: &'a Reader<'a>,
    item: Option<&'a Item<'a>>,
    what: &'static str,
    read: fn(&'a Reader<'a>, &At<String>, &'a Item<'a>) -> Option<T>,
) -> Entries<T> {
    let items = item.map(|item| reader.entries(item, &format!("`{what}`"))).unwrap_or_default();
    if let (Some(item), true) = (item, items.len() > limits::ENTRIES) {
        let place = span(item);
        let limit = limits::ENTRIES;
        reader.report(problem::too_many(reader.source, place, what, items.len(), limit));
        return Entries::default();
    }
    let read = |(name, item): (At<String>, &'a Item<'a>)| {
        let value = read(reader, &name, item)?;
        Some((name, value))
    };
    Entries(items.into_iter().filter_map(read).collect())
}

fn read_input<'a>(reader: &'a Reader<'a>, _: &At<String>, item: &'a Item<'a>) -> Option<InputSpec> {
    let table = reader.open(item, "an input", INPUT)?;
    let choices = table.item("choices").and_then(|item| {
        let items = reader.items(item, "`choices`")?;
        let trees = items.iter().filter_map(|item| reader.tree(item, "`choices`", 0)).collect();
        Some(At::new(trees, span(item)))
    });
    Some(InputSpec {
        type_: table.word("type", &INPUT_TYPES).map(|word| word.value).unwrap_or_default(),
        default: table.tree("default"),
        description: table.text("description"),
        required: table.boolean("required"),
        choices,
        pattern: table.text("pattern"),
    })
}

fn read_secret<'a>(
    reader: &'a Reader<'a>,
    secret: &At<String>,
    item: &'a Item<'a>,
) -> Option<SecretEntry> {
    let table = reader.open(item, "a secret", SECRET)?;
    if table.item("from").is_none() {
        reader.report(problem::missing_provider(reader.source, secret));
    }
    let from = table.word("from", &PROVIDERS);
    let text = |key| table.text(key);
    let (name, path, vault) = (text("name"), text("path"), text("vault"));
    let (version, identity) = (text("version"), text("identity"));
    let only_to = table.texts("only-to").map(|hosts| hosts.value).unwrap_or_default();
    let from = from?;
    let source = reader.source;
    let (wanted, allowed): (Option<&'static str>, &[&str]) = match from.value {
        SecretProvider::Env => (Some("name"), &["name"]),
        SecretProvider::File => (Some("path"), &["path"]),
        SecretProvider::Store => (None, &["name"]),
        SecretProvider::AzureKeyVault => (Some("vault"), &["name", "vault", "version", "identity"]),
        SecretProvider::Stdin => (None, &[]),
    };
    let word = |provider| {
        PROVIDERS.iter().find(|&&(_, each)| each == provider).map_or("", |&(word, _)| word)
    };
    if let Some(key) = wanted.filter(|&key| table.item(key).is_none()) {
        reader.report(problem::secret_needs_key(source, secret, word(from.value), key));
    }
    for key in SECRET.iter().filter(|key| !["from", "only-to"].contains(key)) {
        if let (false, Some(place)) = (allowed.contains(key), table.key_span(key)) {
            reader.report(problem::secret_key_unused(source, place, key, word(from.value)));
        }
    }
    Some(SecretEntry { from, name, path, vault, version, identity, only_to })
}

fn read_registry<'a>(
    reader: &'a Reader<'a>,
    host: &At<String>,
    item: &'a Item<'a>,
) -> Option<RegistryEntry> {
    // A host, or a host and the first parts of the names of its repositories.
    let is_host = !host.value.contains(['@', ' ', '?', '#'])
        && !host.value.contains("://")
        && host.value.split('/').all(|part| !part.is_empty());
    if !is_host {
        reader.report(problem::not_a_host(reader.source, host));
    }
    let table = reader.open(item, "a registry", REGISTRY)?;
    let username = table.item("username").and_then(|item| {
        if item.get_ref().is_table() {
            let secret = read_secret_ref(reader, item, "username")?;
            return Some(At::new(TextOrSecret::Secret(secret.value), secret.span));
        }
        let text = reader.text(item, "`username`", "a string or `{ secret = \"…\" }`")?;
        Some(At::new(TextOrSecret::Text(text.value), text.span))
    });
    let secret = |key| table.item(key).and_then(|item| read_secret_ref(reader, item, key));
    let (password, token) = (secret("password"), secret("token"));
    if let (Some(_), None, Some(place)) =
        (&password, table.item("username"), table.key_span("password"))
    {
        reader.report(problem::password_without_username(reader.source, place, &host.value));
    }
    if let (Some(_), Some(place)) = (table.item("password"), table.key_span("token")) {
        reader.report(problem::token_and_password(reader.source, place, &host.value));
    }
    if table.item("identity").is_some() {
        for key in ["username", "password", "token"] {
            if let Some(place) = table.key_span(key) {
                let problem =
                    problem::identity_and_credential(reader.source, place, &host.value, key);
                reader.report(problem);
            }
        }
    }
    for (given, other) in [("cert", "key"), ("key", "cert")] {
        if let (None, Some(place)) = (table.item(other), table.key_span(given)) {
            reader.report(problem::half_an_identity(
                reader.source,
                place,
                &host.value,
                given,
                other,
            ));
        }
    }
    Some(RegistryEntry {
        username,
        password,
        token,
        identity: table.text("identity"),
        insecure: table.boolean("insecure"),
        ca: table.text("ca"),
        cert: table.text("cert"),
        key: table.text("key"),
    })
}

/// `{ secret = "name" }`.
fn read_secret_ref<'a>(
    reader: &'a Reader<'a>,
    item: &'a Item<'a>,
    key: &'static str,
) -> Option<At<SecretRef>> {
    if item.get_ref().is_str() {
        reader.mask(span(item));
        reader.report(problem::plain_password(reader.source, span(item), key));
        return None;
    }
    let table = reader.open(item, "a reference to a secret", SECRET_REF)?;
    let secret = table.required_text("secret", "secret = \"registry-password\"");
    Some(At::new(SecretRef { secret: secret.value }, secret.span))
}

/// Reports `name` if it breaks the rule for names.
pub(crate) fn check(reader: &Reader<'_>, name: &At<String>, what: &str) {
    // An empty text stands for one that is missing or of the wrong type, which is reported already.
    let is_written = name.span.end > name.span.start && !name.value.is_empty();
    let is_empty_text = name.value.is_empty() && name.span.end - name.span.start == 2;
    if !is_written && !is_empty_text {
        return;
    }
    if let Err(error) = check_name(&name.value) {
        reader.report(problem::bad_name(reader.source, name, what, &error));
    }
}

#[cfg(test)]
mod tests;
