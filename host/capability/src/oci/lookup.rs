//! Many questions at once: what each of several references points at.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::oci::{Place, RequestTally};
use futures::{StreamExt as _, stream};
use report::{Fault, Kind};

use super::{AccessFlags, Descriptor, GrantedOci, invalid};

/// Questions that wait for one registry at a time; how many of them are on the way is decided by the
/// registry's budget.
const AT_ONCE: usize = 32;

/// A registry that takes longer for one answer is in trouble.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many answers in a row that do not come, and the registry is not asked any more.
const MOST_FAILURES: usize = 3;

/// Questions of one lookup; the names alone are some ten megabytes.
const MOST_QUESTIONS: usize = 100_000;

/// What each question came to.
type Answers = Vec<Result<Option<Descriptor>, Fault>>;

/// References whose digests are asked for together.
#[derive(Clone, Default)]
pub struct Lookup {
    references: Vec<String>,
    tally: Arc<RequestTally>,
}

/// How it went with one registry so far.
#[derive(Default)]
struct Standing {
    failures: usize,
    last: Option<Fault>,
}

impl Lookup {
    /// Adds what `reference` names.
    pub fn add(&mut self, reference: String) {
        self.references.push(reference);
    }

    /// Requests that were made for it until now, by HTTP method.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.tally.counts()
    }
}

impl GrantedOci {
    /// What each reference points at, in their order; none where there is nothing.
    ///
    /// # Errors
    /// For each: `denied.oci`, `invalid.oci`, `oci.unauthorized`, `oci.transient`. The questions to a
    /// registry that does not answer end with the fault of those that were sent.
    pub async fn lookup(&self, lookup: &Lookup) -> Answers {
        if lookup.references.len() > MOST_QUESTIONS {
            let fault = invalid(format!("a lookup has at most {MOST_QUESTIONS} references"));
            return lookup.references.iter().map(|_| Err(fault.clone())).collect();
        }
        let mut registries: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        for (index, reference) in lookup.references.iter().enumerate() {
            let questions = registries.entry(registry_of(reference)).or_default();
            questions.push((index, reference.clone()));
        }
        let all = registries.into_values().map(|questions| self.ask(questions, &lookup.tally));
        let mut answers: Vec<_> =
            futures::future::join_all(all).await.into_iter().flatten().collect();
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Asks one registry.
    async fn ask(
        &self,
        questions: Vec<(usize, String)>,
        tally: &Arc<RequestTally>,
    ) -> Vec<(usize, Result<Option<Descriptor>, Fault>)> {
        let standing = Mutex::new(Standing::default());
        let ask = |(index, reference): (usize, String)| {
            let standing = &standing;
            async move {
                let answer = match Standing::given_up(standing) {
                    Some(fault) => Err(fault),
                    None => self.ask_one(&reference, tally).await,
                };
                Standing::learn(standing, &answer);
                (index, answer)
            }
        };
        stream::iter(questions).map(ask).buffer_unordered(AT_ONCE).collect().await
    }

    async fn ask_one(
        &self,
        reference: &str,
        tally: &Arc<RequestTally>,
    ) -> Result<Option<Descriptor>, Fault> {
        let access = AccessFlags { pull: true, ..AccessFlags::default() };
        let repository = self.open_counted(reference, access, Arc::clone(tally)).await?;
        let selector = repository.selector();
        tokio::time::timeout(PATIENCE, repository.resolve(&selector)).await.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", PATIENCE.as_secs());
            Err(Fault::new(Kind::Transient, message).code("oci.transient"))
        })
    }
}

impl Standing {
    /// Why the registry is not asked any more.
    fn given_up(this: &Mutex<Self>) -> Option<Fault> {
        let standing = this.lock().unwrap_or_else(PoisonError::into_inner);
        standing.last.clone().filter(|_| standing.failures >= MOST_FAILURES)
    }

    fn learn(this: &Mutex<Self>, answer: &Result<Option<Descriptor>, Fault>) {
        let mut standing = this.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Err(fault) if fault.kind == Kind::Transient => {
                standing.failures += 1;
                standing.last.get_or_insert_with(|| fault.clone());
            }
            Ok(_) | Err(_) => *standing = Self::default(),
        }
    }
}

/// Whom a reference asks; all that is no registry is one.
fn registry_of(reference: &str) -> String {
    match reference.parse() {
        Ok(Place::Registry(reference)) => reference.registry().as_str().to_owned(),
        Ok(Place::Layout(_) | Place::OciArchive(_) | Place::DockerArchive(_)) | Err(_) => {
            String::new()
        }
    }
}
