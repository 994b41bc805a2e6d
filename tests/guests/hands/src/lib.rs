//! A step that uses what the host keeps: registries, state, files, the secret store. One call of the
//! host for each act, and its answer as it came.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use windlass_plugin::oci::{Access, Copy, Lookup, Repository};
use windlass_plugin::secrets::{self, Alphabet};
use windlass_plugin::state::{self, Expected};
use windlass_plugin::{Context, Inputs, Outcome, Request, Result, Schema, Step, workspace};

/// What to do.
#[derive(Clone, Copy, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// What the reference `at` points at.
    Resolve,
    /// What the references `at` and `to` point at, asked together.
    Lookup,
    /// The manifest at the reference `at`.
    Manifest,
    /// The first ten tags of the repository `at`.
    Tags,
    /// Copies the reference `at` to the reference `to`.
    Copy,
    /// Deletes what the reference `at` points at.
    Delete,
    /// Counts up the key `at` of the state, checking its version.
    Count,
    /// Writes the key `at` of the state as if there were none.
    Claim,
    /// The text of the file `at`.
    Read,
    /// Writes `to` into the file `at`.
    Write,
    /// The entries of the folder `at`.
    Entries,
    /// Stores a new secret under the name `at`.
    Keep,
}

/// On what.
#[derive(Deserialize, Inputs)]
pub struct Work {
    act: Act,
    at: String,
    #[serde(default)]
    to: String,
}

/// The step.
pub struct Hands;

impl Step for Hands {
    const NAME: &'static str = "hands";
    const SUMMARY: &'static str = "uses registries, state, files and the secret store";
    type Inputs = Work;
    type Outputs = Map<String, Value>;

    /// All that the acts need but `oci.delete`: what is never asked for is never given.
    fn requests() -> Vec<Request> {
        let asks =
            ["oci.pull", "oci.push", "state", "workspace.read", "workspace.write", "secrets.write"];
        asks.map(|key| Request::new(key, "{{ inputs.at }}", "for its act")).into()
    }

    fn run(Work { act, at, to }: Work, _: &Context) -> Result<Outcome<Self::Outputs>> {
        let open = |access| Repository::open(&at, access);
        let answer = match act {
            Act::Resolve => {
                let repository = open(Access::PULL)?;
                let found = repository.resolve(&repository.selector())?;
                json!({ "digest": found.map(|found| found.digest), "name": repository.name() })
            }
            Act::Lookup => {
                let lookup = Lookup::new([&at, &to]);
                let found = lookup.run().into_iter().map(|answer| match answer {
                    Ok(found) => json!(found.map(|found| found.digest)),
                    Err(error) => json!({ "code": error.code() }),
                });
                json!({ "found": found.collect::<Vec<_>>(), "requests": lookup.requests() })
            }
            Act::Manifest => {
                let repository = open(Access::PULL)?;
                let manifest = repository.get_manifest(&repository.selector())?;
                json!({ "manifest": serde_json::from_slice::<Value>(&manifest.content)? })
            }
            Act::Tags => json!({ "tags": open(Access::PULL)?.tags(None, 10)? }),
            Act::Copy => copy(&at, &to)?,
            Act::Delete => {
                let repository = open(Access::DELETE)?;
                json!({ "deleted": repository.delete(&repository.selector())? })
            }
            Act::Count => count(&at)?,
            Act::Claim => json!({ "version": state::put(&at, b"mine", Expected::Absent)? }),
            Act::Read => json!({ "text": workspace::read_to_string(&at)? }),
            Act::Write => {
                workspace::write(&at, to)?;
                json!({})
            }
            Act::Entries => {
                let entries = workspace::entries(&at)?;
                json!({ "names": entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>() })
            }
            Act::Keep => {
                let secret = secrets::generate(32, Alphabet::Alphanumeric)?;
                secrets::put(&at, &secret)?;
                json!({ "name": secret.name() })
            }
        };
        Ok(Outcome::changed(answer.as_object().cloned().unwrap_or_default()))
    }
}

windlass_plugin::step!(Hands);

fn copy(from: &str, to: &str) -> Result<Value> {
    let source = Repository::open(from, Access::PULL)?;
    let target = Repository::open(to, Access::PULL | Access::PUSH)?;
    let copied = Copy::new(&source, &source.selector(), &target).tag(&target.selector()).run()?;
    Ok(json!({
        "digest": copied.descriptor.digest,
        "changed": copied.is_changed,
        "platforms": copied.platforms,
        "sent": copied.sent,
        "mounted": copied.mounted,
        "skipped": copied.skipped,
    }))
}

fn count(key: &str) -> Result<Value> {
    let (count, expected) = match state::get_json::<u64>(key)? {
        Some((count, version)) => (count + 1, Expected::Version(version)),
        None => (1, Expected::Absent),
    };
    let version = state::put_json(key, &count, expected)?;
    Ok(json!({ "count": count, "version": version, "keys": state::keys("")? }))
}
