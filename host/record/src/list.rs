//! Looking runs up: by what a person typed, or by what is asked for in a table.

use run::{Timestamp, Trigger};
use rusqlite::{OptionalExtension as _, ToSql, params_from_iter};

use crate::{
    RecordError, RunRow, RunStatus, Store, id,
    row::{COLUMNS, millis},
};

/// Of how many runs ids are looked through for one that was meant.
const NEAR: u32 = 1000;

/// How many runs are named that an id may stand for.
const CANDIDATES: usize = 5;

/// Which runs to list; what is empty asks for nothing.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// In one of these states.
    pub status: Vec<RunStatus>,
    /// Started by one of these.
    pub trigger: Vec<Trigger>,
    /// That had to do with this image: a reference, a repository, or a digest.
    pub image: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub before: Option<Timestamp>,
    /// So many of the newest.
    pub last: Option<u64>,
}

/// What a query is made of.
#[derive(Default)]
struct Where {
    clauses: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
}

impl Where {
    /// `{}` in `clause` stands for the value.
    fn add(&mut self, clause: &str, value: impl ToSql + 'static) {
        self.values.push(Box::new(value));
        self.clauses.push(clause.replace("{}", &format!("?{}", self.values.len())));
    }

    fn any(&mut self, column: &str, words: impl Iterator<Item = &'static str>) {
        let words: Vec<String> = words.map(|word| format!("'{word}'")).collect();
        if !words.is_empty() {
            self.clauses.push(format!("{column} IN ({})", words.join(", ")));
        }
    }

    fn text(&self) -> String {
        match self.clauses.as_slice() {
            [] => String::new(),
            clauses => format!(" WHERE {}", clauses.join(" AND ")),
        }
    }
}

impl Store {
    /// The runs of `selection`, newest first. [`Self::settle`] comes first where that is possible.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`], [`RecordError::Strange`].
    pub fn list(&self, selection: &Selection) -> Result<Vec<RunRow>, RecordError> {
        let mut query = Where::default();
        if let Some(pipeline) = &selection.pipeline {
            query.add("pipeline = {}", pipeline.clone());
        }
        query.any("status", selection.status.iter().map(|status| status.as_str()));
        query.any("trigger", selection.trigger.iter().map(|trigger| trigger.as_str()));
        if let Some(image) = &selection.image {
            // `repository` stands for all of its tags; ';' comes behind ':'.
            query.add(
                "key IN (SELECT run FROM images WHERE reference = {} OR digest = {}
                         OR reference >= {} || ':' AND reference < {} || ';')",
                image.clone(),
            );
        }
        if let Some(since) = selection.since {
            query.add("created_at >= {}", millis(since));
        }
        if let Some(before) = selection.before {
            query.add("created_at < {}", millis(before));
        }
        let limit = selection.last.map_or_else(String::new, |last| format!(" LIMIT {last}"));
        let text = format!("SELECT {COLUMNS} FROM runs{} ORDER BY key DESC{limit}", query.text());
        let rows = (|| {
            let mut statement = self.connection.prepare(&text)?;
            let values = params_from_iter(query.values.iter());
            statement.query_map(values, RunRow::read)?.collect::<rusqlite::Result<Vec<_>>>()
        })()
        .map_err(|source| self.failed(source))?;
        rows.into_iter().collect()
    }

    /// The run that `text` begins the id of.
    ///
    /// # Errors
    /// [`RecordError::Unknown`], [`RecordError::Ambiguous`], and as [`Self::list`].
    pub fn find(&self, text: &str) -> Result<RunRow, RecordError> {
        let unknown = |near| RecordError::Unknown { id: text.chars().take(40).collect(), near };
        let Some(typed) = id::typed(text) else { return Err(unknown(None)) };
        let rows = (|| {
            let query = format!(
                "SELECT {COLUMNS} FROM runs WHERE id >= ?1 AND id < ?1 || '~' ORDER BY key DESC"
            );
            let mut statement = self.connection.prepare(&query)?;
            statement.query_map([&typed], RunRow::read)?.collect::<rusqlite::Result<Vec<_>>>()
        })()
        .map_err(|source| self.failed(source))?;
        let mut rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
        if let Some(exact) = rows.iter().position(|row| row.id == typed) {
            return Ok(rows.swap_remove(exact));
        }
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            (None, _) => Err(unknown(self.near(&typed)?)),
            (Some(oldest), false) => {
                rows.push(oldest);
                let named = rows.iter().take(CANDIDATES).map(|row| {
                    Ok(format!(
                        "{}: {}, {}",
                        self.short(&row.id)?,
                        row.run.pipeline,
                        row.created_at
                    ))
                });
                let mut candidates = named.collect::<Result<Vec<_>, RecordError>>()?;
                if let more @ 1.. = rows.len().saturating_sub(CANDIDATES) {
                    candidates.push(format!("and {more} more"));
                }
                Err(RecordError::Ambiguous { id: typed, candidates })
            }
        }
    }

    /// How `id` is shown: as short as it can be told from all others.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`].
    pub fn short(&self, id: &str) -> Result<String, RecordError> {
        let neighbour = |query: &str| {
            self.connection
                .prepare_cached(query)?
                .query_row([id], |row| row.get::<_, String>(0))
                .optional()
        };
        let neighbours = (|| {
            Ok([
                neighbour("SELECT id FROM runs WHERE id < ?1 ORDER BY id DESC LIMIT 1")?,
                neighbour("SELECT id FROM runs WHERE id > ?1 ORDER BY id LIMIT 1")?,
            ])
        })()
        .map_err(|source| self.failed(source))?;
        Ok(id::short(id, neighbours.into_iter().flatten()).to_owned())
    }

    /// The names of all pipelines, for those who mistype one.
    ///
    /// # Errors
    /// [`RecordError::Sqlite`].
    pub fn pipelines(&self) -> Result<Vec<String>, RecordError> {
        (|| {
            let mut query =
                self.connection.prepare("SELECT DISTINCT pipeline FROM runs ORDER BY pipeline")?;
            query.query_map((), |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        })()
        .map_err(|source| self.failed(source))
    }

    /// An id that begins as one that does not exist might have been meant to.
    fn near(&self, typed: &str) -> Result<Option<String>, RecordError> {
        let ids = (|| {
            let mut query =
                self.connection.prepare("SELECT id FROM runs ORDER BY key DESC LIMIT ?1")?;
            query.query_map([NEAR], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        })()
        .map_err(|source| self.failed(source))?;
        let begins = ids.iter().map(|id| id.get(..typed.len()).unwrap_or(id));
        let Some(near) = report::closest(typed, begins) else { return Ok(None) };
        let whole = ids.iter().find(|id| id.starts_with(near));
        whole.map(|id| self.short(id)).transpose()
    }
}
