//! Image configurations: JSON as image-spec and Docker have it, and what a Dockerfile says of it.

use dockerfile::instruction::HealthcheckOptions;
use dockerfile::{Config, Healthcheck};
use serde_json::{Map, Value, json};
use windlass_plugin::{Error, Result};

/// A configuration on its way: what a Dockerfile changes, the history, and the rest as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageConfig {
    /// What a Dockerfile changes.
    pub settings: Config,
    /// One entry for each instruction (image-spec, "history").
    pub history: Vec<Value>,
    /// Fields of `config` that no instruction knows.
    other_settings: Map<String, Value>,
}

impl ImageConfig {
    /// What the JSON of a base says.
    ///
    /// # Errors
    /// `invalid.base` for what is no configuration.
    pub fn read(text: &str) -> Result<Self> {
        let wrong = |error: serde_json::Error| {
            Error::new("invalid.base", format!("its configuration is no JSON object: {error}"))
        };
        let mut fields: Map<String, Value> = serde_json::from_str(text).map_err(wrong)?;
        let mut settings = match fields.remove("config") {
            Some(Value::Object(settings)) => settings,
            _ => Map::new(),
        };
        let layers = fields
            .get("rootfs")
            .and_then(|rootfs| rootfs.get("diff_ids"))
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        let history = match fields.remove("history") {
            Some(Value::Array(history)) => history,
            _ => Vec::new(),
        };
        let config = Config {
            env: pairs(settings.remove("Env").as_ref()),
            entrypoint: list(settings.remove("Entrypoint").as_ref()),
            cmd: list(settings.remove("Cmd").as_ref()),
            working_dir: text_of(settings.remove("WorkingDir").as_ref()).unwrap_or_default(),
            user: text_of(settings.remove("User").as_ref()).unwrap_or_default(),
            labels: table(settings.remove("Labels").as_ref()).into_iter().collect(),
            exposed_ports: keys(settings.remove("ExposedPorts").as_ref()).into_iter().collect(),
            volumes: keys(settings.remove("Volumes").as_ref()).into_iter().collect(),
            stop_signal: text_of(settings.remove("StopSignal").as_ref()),
            healthcheck: healthcheck(settings.remove("Healthcheck").as_ref()),
            shell: list(settings.remove("Shell").as_ref()),
            on_build: list(settings.remove("OnBuild").as_ref()).unwrap_or_default(),
            author: None,
        };
        // What other tools leave behind about the container in which they built.
        for stale in ["Image", "Hostname", "Domainname", "Tty", "OpenStdin", "StdinOnce"] {
            settings.remove(stale);
        }
        for stale in ["AttachStdin", "AttachStdout", "AttachStderr"] {
            settings.remove(stale);
        }
        Ok(Self { settings: config, history: complete(history, layers), other_settings: settings })
    }

    /// The JSON; the host fills in the layers and the platform.
    ///
    /// # Errors
    /// None that can happen: the fields are text and lists.
    pub fn write(&self, epoch: u64) -> Result<String> {
        let mut settings = self.other_settings.clone();
        let Config { env, entrypoint, cmd, working_dir, user, .. } = &self.settings;
        let mut set = |name: &str, value: Value| {
            let is_empty = match &value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                Value::Bool(_) | Value::Number(_) => false,
            };
            match is_empty {
                true => _ = settings.remove(name),
                false => _ = settings.insert(name.to_owned(), value),
            }
        };
        let variables = env.iter().map(|(name, value)| format!("{name}={value}"));
        set("Env", variables.collect::<Vec<_>>().into());
        set("Entrypoint", json!(entrypoint));
        set("Cmd", json!(cmd));
        set("WorkingDir", working_dir.as_str().into());
        set("User", user.as_str().into());
        set("Labels", json!(self.settings.labels));
        let empty_objects = |names: &std::collections::BTreeSet<String>| -> Value {
            let fields = names.iter().map(|name| (name.clone(), json!({})));
            Value::Object(fields.collect())
        };
        set("ExposedPorts", empty_objects(&self.settings.exposed_ports));
        set("Volumes", empty_objects(&self.settings.volumes));
        set("StopSignal", json!(self.settings.stop_signal));
        set(
            "Healthcheck",
            self.settings.healthcheck.as_ref().map_or(Value::Null, healthcheck_json),
        );
        set("Shell", json!(self.settings.shell));
        set("OnBuild", json!(self.settings.on_build));
        let mut config = Map::new();
        config.insert("created".to_owned(), rfc3339(epoch).into());
        if let Some(author) = &self.settings.author {
            config.insert("author".to_owned(), author.as_str().into());
        }
        config.insert("config".to_owned(), Value::Object(settings));
        config.insert("history".to_owned(), Value::Array(self.history.clone()));
        serde_json::to_string(&config)
            .map_err(|error| Error::failed(format!("a configuration cannot be written: {error}")))
    }

    /// Adds what an instruction did to the history.
    pub fn note(&mut self, created_by: &str, epoch: u64, has_layer: bool) {
        let mut entry = Map::new();
        entry.insert("created".to_owned(), rfc3339(epoch).into());
        entry.insert("created_by".to_owned(), created_by.into());
        if !has_layer {
            entry.insert("empty_layer".to_owned(), true.into());
        }
        self.history.push(Value::Object(entry));
    }
}

/// A history that tells of each layer: who built without one left the layers unexplained.
fn complete(history: Vec<Value>, layers: usize) -> Vec<Value> {
    let is_layer = |entry: &&Value| entry.get("empty_layer") != Some(&Value::Bool(true));
    let told = history.iter().filter(is_layer).count();
    match told.cmp(&layers) {
        std::cmp::Ordering::Equal => history,
        std::cmp::Ordering::Less => {
            let missing = std::iter::repeat_n(json!({ "comment": "not told" }), layers - told);
            missing.chain(history).collect()
        }
        // More than there are: nothing of it can be believed.
        std::cmp::Ordering::Greater => vec![json!({ "comment": "not told" }); layers],
    }
}

/// Seconds since 1970 as RFC 3339.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, after Howard Hinnant's `civil_from_days`, for days since 1970 alone.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn text_of(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}

fn list(value: Option<&Value>) -> Option<Vec<String>> {
    let items = value?.as_array()?.iter();
    Some(items.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn pairs(value: Option<&Value>) -> Vec<(String, String)> {
    let split = |text: String| {
        let (name, value) = text.split_once('=').unwrap_or((&text, ""));
        (name.to_owned(), value.to_owned())
    };
    list(value).unwrap_or_default().into_iter().map(split).collect()
}

fn table(value: Option<&Value>) -> Vec<(String, String)> {
    let fields = value.and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn keys(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

fn healthcheck(value: Option<&Value>) -> Option<Healthcheck> {
    let fields = value?.as_object()?;
    let number = |name: &str| fields.get(name).and_then(Value::as_i64).unwrap_or_default();
    Some(Healthcheck {
        test: list(fields.get("Test")).unwrap_or_default(),
        options: HealthcheckOptions {
            interval: number("Interval"),
            timeout: number("Timeout"),
            start_period: number("StartPeriod"),
            start_interval: number("StartInterval"),
            retries: u32::try_from(number("Retries")).unwrap_or_default(),
        },
    })
}

fn healthcheck_json(check: &Healthcheck) -> Value {
    let mut fields = Map::new();
    fields.insert("Test".to_owned(), json!(check.test));
    let HealthcheckOptions { interval, timeout, start_period, start_interval, retries } =
        check.options;
    let numbers = [
        ("Interval", interval),
        ("Timeout", timeout),
        ("StartPeriod", start_period),
        ("StartInterval", start_interval),
        ("Retries", i64::from(retries)),
    ];
    for (name, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
        fields.insert(name.to_owned(), number.into());
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests;
