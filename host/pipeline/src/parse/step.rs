//! `[[step]]` and all that is in it.

use report::Kind;

use crate::at::At;
use crate::parse::check;
use crate::reader::{Item, Reader, Table, span};
use crate::schema::{
    ExecSpec, GrantSpec, HttpEntry, MatrixSpec, MatrixTable, OciSpec, RetrySpec, SecretsSpec,
    StepEntry, Tree, WorkspaceSpec,
};
use crate::{limits, problem};

pub(crate) const STEP: &[&str] = &[
    "id",
    "name",
    "uses",
    "sha256",
    "with",
    "needs",
    "when",
    "matrix",
    "retry",
    "timeout",
    "continue-on-error",
    "always",
    "dry-run",
    "concurrency",
    "grant",
];
pub(crate) const RETRY: &[&str] = &["attempts", "on", "backoff"];
pub(crate) const GRANT: &[&str] =
    &["http", "identity", "secrets", "oci", "state", "workspace", "exec"];
pub(crate) const HTTP: &[&str] = &["url", "methods", "private"];
pub(crate) const SECRETS: &[&str] = &["use", "reveal", "write"];
pub(crate) const OCI: &[&str] = &["pull", "push", "delete"];
pub(crate) const WORKSPACE: &[&str] = &["read", "write"];
pub(crate) const EXEC: &[&str] = &["run", "network"];

pub(crate) fn read_steps<'a>(reader: &'a Reader<'a>, item: Option<&'a Item<'a>>) -> Vec<StepEntry> {
    let Some(item) = item else { return Vec::new() };
    if item.get_ref().is_table() {
        reader.report(problem::single_step(reader.source, span(item)));
        return Vec::new();
    }
    let items = reader.items(item, "`step`").unwrap_or_default();
    if items.len() > limits::STEPS {
        let (found, limit) = (items.len(), limits::STEPS);
        reader.report(problem::too_many(reader.source, span(item), "[[step]]", found, limit));
        return Vec::new();
    }
    items.iter().filter_map(|item| read_step(reader, item)).collect()
}

fn read_step<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<StepEntry> {
    let table = reader.open(item, "`[[step]]`", STEP)?;
    let id = table.required_text("id", "id = \"build\"");
    check(reader, &id, "a step's id");
    let with = table.tree("with").filter(|tree| {
        let is_table = matches!(tree.value, Tree::Table(_));
        if let (false, Some(item)) = (is_table, table.item("with")) {
            reader.report(reader.wrong_type("`with`", item, "a table"));
        }
        is_table
    });
    let step = StepEntry {
        span: if table.item("id").is_some() { id.span } else { table.span },
        id,
        name: table.text("name"),
        uses: table.required_text("uses", "uses = \"import-image\""),
        sha256: table.text("sha256"),
        with,
        needs: table.texts("needs"),
        when: table.text("when"),
        matrix: table.item("matrix").and_then(|item| read_matrix(reader, item)),
        retry: table.table("retry", "`retry`", RETRY).map(|table| read_retry(reader, &table)),
        timeout: table.duration("timeout"),
        continue_on_error: table.boolean("continue-on-error"),
        always: table.boolean("always"),
        dry_run: table.boolean("dry-run"),
        concurrency: table.text("concurrency"),
        grant: table.item("grant").and_then(|item| read_grant(reader, item)),
    };
    Some(step)
}

fn read_retry<'a>(reader: &'a Reader<'a>, table: &Table<'a>) -> RetrySpec {
    let attempts = table.integer("attempts").filter(|attempts| {
        let is_sane = (1..=i64::from(limits::ATTEMPTS)).contains(&attempts.value);
        if !is_sane {
            reader.report(problem::wrong_attempts(reader.source, attempts));
        }
        is_sane
    });
    let words: Vec<(&str, Kind)> = Kind::ALL.iter().map(|&kind| (kind.as_str(), kind)).collect();
    let on = table
        .item("on")
        .and_then(|item| reader.items(item, "`on`"))
        .map(|items| items.iter().filter_map(|item| reader.word(item, "`on`", &words)).collect());
    RetrySpec { attempts, on, backoff: table.duration("backoff") }
}

fn read_matrix<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<At<MatrixSpec>> {
    if !item.get_ref().is_table() {
        let expected = "a table of lists, or a template that gives a list";
        let text = reader.text(item, "`matrix`", expected)?;
        return Some(At::new(MatrixSpec::List(text.value), text.span));
    }
    let mut matrix = MatrixTable::default();
    for (key, item) in reader.entries(item, "`matrix`") {
        match key.value.as_str() {
            "include" => matrix.include = read_combinations(reader, item, "`include`"),
            "exclude" => matrix.exclude = read_combinations(reader, item, "`exclude`"),
            _ => {
                check(reader, &key, "a matrix variable");
                if !item.get_ref().is_array() && !item.get_ref().is_str() {
                    let what = format!("`{}`", key.value);
                    let expected = "a list, or a template that gives one";
                    reader.report(reader.wrong_type(&what, item, expected));
                } else if let Some(tree) = reader.tree(item, "`matrix`", 0) {
                    matrix.axes.0.push((key, tree));
                }
            }
        }
    }
    Some(At::new(MatrixSpec::Table(matrix), span(item)))
}

fn read_combinations<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>, what: &str) -> Vec<At<Tree>> {
    let items = reader.items(item, what).unwrap_or_default();
    let read = |item: &'a Item<'a>| {
        if !item.get_ref().is_table() {
            reader.report(reader.wrong_type(what, item, "a list of tables"));
            return None;
        }
        reader.tree(item, what, 0)
    };
    items.iter().filter_map(read).collect()
}

fn read_grant<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<At<GrantSpec>> {
    let table = reader.open(item, "`[step.grant]`", GRANT)?;
    let http = table.item("http").and_then(|item| reader.items(item, "`http`"));
    let grant = GrantSpec {
        http: http.unwrap_or_default().iter().filter_map(|item| read_http(reader, item)).collect(),
        identity: list(&table, "identity"),
        secrets: table.item("secrets").map(|item| read_secrets(reader, item)).unwrap_or_default(),
        oci: table
            .table("oci", "`oci`", OCI)
            .map(|oci| OciSpec {
                pull: list(&oci, "pull"),
                push: list(&oci, "push"),
                delete: list(&oci, "delete"),
            })
            .unwrap_or_default(),
        state: table.boolean("state"),
        workspace: table
            .table("workspace", "`workspace`", WORKSPACE)
            .map(|folders| WorkspaceSpec {
                read: list(&folders, "read"),
                write: list(&folders, "write"),
            })
            .unwrap_or_default(),
        exec: table
            .table("exec", "`exec`", EXEC)
            .map(|exec| ExecSpec { run: exec.boolean("run"), network: exec.boolean("network") })
            .unwrap_or_default(),
    };
    Some(At::new(grant, span(item)))
}

fn read_http<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> Option<HttpEntry> {
    if !item.get_ref().is_table() {
        let url = reader.text(item, "`http`", "a list of URLs, or tables with `url`")?;
        return Some(HttpEntry { url, ..HttpEntry::default() });
    }
    let table = reader.open(item, "`http`", HTTP)?;
    Some(HttpEntry {
        url: table.required_text("url", "url = \"https://api.example.com\""),
        methods: list(&table, "methods"),
        private: table.boolean("private"),
    })
}

fn read_secrets<'a>(reader: &'a Reader<'a>, item: &'a Item<'a>) -> SecretsSpec {
    if item.get_ref().is_array() {
        return SecretsSpec { use_: reader.texts(item, "`secrets`"), ..SecretsSpec::default() };
    }
    let table = reader.open(item, "`secrets`", SECRETS);
    let list = |key| table.as_ref().map(|table| list(table, key)).unwrap_or_default();
    SecretsSpec { use_: list("use"), reveal: list("reveal"), write: list("write") }
}

fn list(table: &Table<'_>, key: &'static str) -> Vec<At<String>> {
    table.texts(key).map(|list| list.value).unwrap_or_default()
}
