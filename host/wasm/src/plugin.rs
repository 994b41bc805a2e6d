//! A plugin: what it says of itself, and a call of it.

use report::{Fault, Kind, Side};
use serde_json::Value;
use wasmtime::Store;

use crate::bindings::exports::windlass::step::metadata;
use crate::bindings::windlass::step::types as wit;
use crate::bindings::{Step, StepPre};
use crate::fault;
use crate::limits::{self, Limits};
use crate::state::StepState;

/// A component that is loaded, checked and described.
pub struct Plugin {
    pre: StepPre<StepState>,
    digest: String,
    description: Description,
}

/// What a plugin says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Its name, kebab-case.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// JSON Schema of the inputs, an object.
    pub inputs_schema: Value,
    /// JSON Schema of the outputs, an object.
    pub outputs_schema: Value,
    /// What it will need.
    pub requests: Vec<Request>,
    /// The interfaces that it imports, as `package/interface@version`.
    pub imports: Vec<String>,
}

/// A capability that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key of the grant, such as `oci.pull`.
    pub capability: String,
    /// A template over `inputs`.
    pub value: String,
    /// Why.
    pub reason: String,
}

/// One call of a plugin.
pub struct Call {
    /// What the guest is told.
    pub context: Context,
    /// What the guest may do.
    pub granted: capability::Granted,
    /// How much of the machine it may have.
    pub limits: Limits,
}

/// What a guest is told.
#[derive(Clone, Debug)]
pub struct Context {
    /// The inputs: a JSON object as text.
    pub inputs: String,
    /// The step's id.
    pub step: String,
    /// The run's id.
    pub run: String,
    /// From 1.
    pub attempt: u32,
    /// Whether the host refuses every change.
    pub dry_run: bool,
    /// What is left of the step's timeout.
    pub deadline: Option<std::time::Duration>,
    /// The latest time that made files are to have, in seconds since 1970.
    pub source_date_epoch: Option<u64>,
}

/// What a call found.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether anything is different now.
    pub status: Status,
    /// The outputs, an object.
    pub outputs: Value,
    /// One line for a person.
    pub summary: Option<String>,
}

/// Whether anything is different now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Something is.
    Changed,
    /// Nothing is.
    Unchanged,
    /// There was nothing to do.
    Skipped,
}

impl Plugin {
    /// The digest of the component, `sha256:…`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the plugin says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Calls the plugin in a fresh instance. Dropping the future ends the guest.
    ///
    /// # Errors
    /// What the plugin returned; [`Kind::Trap`] if it broke or answered with garbage.
    pub async fn run(&self, call: Call) -> Result<Outcome, Fault> {
        let Call { context, granted, limits } = call;
        let mut store = store(self.pre.engine(), StepState::new(granted, limits)?);
        let context = wit::Context {
            inputs: context.inputs,
            step: context.step,
            run: context.run,
            attempt: context.attempt,
            dry_run: context.dry_run,
            deadline_ms: context
                .deadline
                .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            extras: context
                .source_date_epoch
                .map(|seconds| wit::Pair {
                    key: "source-date-epoch".to_owned(),
                    value: seconds.to_string(),
                })
                .into_iter()
                .collect(),
        };
        let answer = match self.pre.instantiate_async(&mut store).await {
            Ok(step) => step.windlass_step_lifecycle().call_run(&mut store, &context).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(Ok(outcome)) => outcome_of(outcome),
            Ok(Err(error)) => Err(fault::of_guest(error)),
            Err(error) => Err(fault::broken(&error, &store.data().last_words())),
        }
    }

    /// Asks a component what it is, in an instance that can do nothing.
    pub(crate) async fn describe(
        pre: StepPre<StepState>,
        digest: String,
        label: &str,
    ) -> Result<Self, Fault> {
        let state = StepState::new(capability::Granted::nothing(), Limits::DESCRIBE)?;
        let mut store = store(pre.engine(), state);
        let described = tokio::time::timeout(limits::DESCRIBE_TIME, async {
            let step: Step = pre.instantiate_async(&mut store).await?;
            step.windlass_step_metadata().call_describe(&mut store).await
        })
        .await;
        let broken = |fault: Fault| Fault {
            message: format!("`{label}` cannot say what it is"),
            causes: std::iter::once(fault.message).chain(fault.causes).collect(),
            ..fault
        };
        let said = match described {
            Ok(Ok(said)) => said,
            Ok(Err(error)) => {
                return Err(broken(fault::broken(&error, &store.data().last_words())));
            }
            Err(_) => {
                let late =
                    format!("`describe` took longer than {} s", limits::DESCRIBE_TIME.as_secs());
                return Err(broken(Fault::new(Kind::Trap, late).code("trap.describe")));
            }
        };
        let component = pre.instance_pre().component();
        let imports = component
            .component_type()
            .imports(pre.engine())
            .map(|(name, _)| name.to_owned())
            .collect();
        let description = description_of(said, imports).map_err(broken)?;
        Ok(Self { pre, digest, description })
    }
}

fn store(engine: &wasmtime::Engine, state: StepState) -> Store<StepState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| state.limits());
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_hostcall_fuel(limits::CALL_BYTES);
    store
}

fn garbage(what: impl Into<String>) -> Fault {
    Fault::new(Kind::Trap, what).code("trap.answer").side(Side::Plugin)
}

fn outcome_of(outcome: wit::Outcome) -> Result<Outcome, Fault> {
    let wit::Outcome { status, outputs, summary } = outcome;
    if outputs.len() > limits::OUTPUT_BYTES {
        let size = outputs.len();
        return Err(garbage(format!("the plugin's outputs have {size} bytes"))
            .cause(format!("a step may return {} bytes of JSON", limits::OUTPUT_BYTES))
            .help("write large results to a registry or the workspace, and return the reference"));
    }
    let outputs = object(&outputs, "the plugin's outputs are")?;
    let status = match status {
        wit::Status::Changed => Status::Changed,
        wit::Status::Unchanged => Status::Unchanged,
        wit::Status::Skipped => Status::Skipped,
    };
    Ok(Outcome {
        status,
        outputs,
        summary: summary.filter(|text| text.len() <= limits::MESSAGE_BYTES),
    })
}

fn object(json: &str, what: &str) -> Result<Value, Fault> {
    match serde_json::from_str(json) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(garbage(format!("{what} no JSON object"))),
        Err(error) => Err(garbage(format!("{what} no JSON")).cause(error)),
    }
}

fn description_of(said: metadata::Plugin, imports: Vec<String>) -> Result<Description, Fault> {
    let metadata::Plugin {
        name,
        version,
        summary,
        inputs_schema,
        outputs_schema,
        requests,
        extras: _,
    } = said;
    let is_name = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_name {
        return Err(garbage(format!(
            "its name is {name:?}, wanted kebab-case such as `import-image`"
        )));
    }
    if inputs_schema.len().max(outputs_schema.len()) > limits::SCHEMA_BYTES {
        return Err(garbage(format!("a schema is longer than {} bytes", limits::SCHEMA_BYTES)));
    }
    Ok(Description {
        name,
        version,
        summary,
        inputs_schema: object(&inputs_schema, "its inputs schema is")?,
        outputs_schema: object(&outputs_schema, "its outputs schema is")?,
        requests: requests
            .into_iter()
            .map(|metadata::Request { capability, value, reason }| Request {
                capability,
                value,
                reason,
            })
            .collect(),
        imports,
    })
}
