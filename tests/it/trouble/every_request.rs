//! Each trouble at each request of a copy, on both sides, once and for good.

use std::collections::BTreeSet;

use oci::{Digest, Store as _};
use report::{Fault, Kind};
use support::{FaultProxy, Seen, Trouble, When};

use super::rows::{Ends, Reach, Row, rows, tag_rows, token_rows};
use super::world::{Outcome, World, defects, options, put_old_image, selector};

/// Trials at the same time.
const WORLDS: usize = 4;

/// One copy with one trouble.
struct Case<'a> {
    side: Side,
    /// Of the request, among those to this side.
    number: usize,
    trouble: &'a Trouble,
    lasts: bool,
    ends: Ends,
    /// As in the copy that went well, for messages.
    seen: &'a Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// How the target is before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Empty,
    /// Another image has the tag.
    Tagged,
}

/// How the lines are, besides the trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doors {
    Open,
    /// Both registries want tokens.
    Tokens,
}

/// Tries rows of the table and collects what is wrong.
struct Trial {
    world: World,
    before: Before,
    doors: Doors,
    tried: usize,
    /// Those that ended with an error.
    failed: usize,
    wrong: Vec<String>,
}

impl Trial {
    async fn new(before: Before, doors: Doors) -> Self {
        let world = World::new().await;
        Self { world, before, doors, tried: 0, failed: 0, wrong: Vec::new() }
    }

    /// A number for each repository, so that each copy begins with nothing.
    fn name(&self) -> String {
        format!("dst/app-{}", self.tried)
    }

    fn line(&self, side: Side) -> &FaultProxy {
        match side {
            Side::Source => &self.world.from,
            Side::Target => &self.world.to,
        }
    }

    fn calm(&self) {
        self.world.calm();
        if self.doors == Doors::Tokens {
            self.world.from.want_tokens();
            self.world.to.want_tokens();
        }
    }

    /// What a copy asks of both sides when all goes well.
    async fn honest_requests(&mut self) -> [Vec<Seen>; 2] {
        let name = "dst/honest";
        self.prepare(name).await;
        match self.copy(name).await {
            Outcome::Done(copied) => assert_eq!(copied.descriptor.digest, self.world.digest),
            Outcome::Failed(fault) => panic!("an honest copy: {fault}"),
            Outcome::Endless => panic!("an honest copy does not end"),
        }
        assert_eq!(self.problems_of_success(name).await, [""; 0]);
        [self.world.from.requests(), self.world.to.requests()]
    }

    async fn prepare(&self, name: &str) -> Option<Digest> {
        self.calm();
        match self.before {
            Before::Empty => None,
            Before::Tagged => Some(put_old_image(&self.world.target(name)).await),
        }
    }

    async fn copy(&self, name: &str) -> Outcome {
        let force = self.before == Before::Tagged;
        self.world.copy(name, &oci::CopyOptions { force, ..options() }).await
    }

    /// Every row at every request that it matters to.
    async fn every<'r>(&mut self, rows: impl Iterator<Item = &'r Row>) {
        let [source, target] = self.honest_requests().await;
        for row in rows {
            let sides = [(Side::Source, &source), (Side::Target, &target)];
            for (side, requests) in sides {
                let mut sorts = BTreeSet::new();
                for (number, seen) in requests.iter().enumerate() {
                    let is_meant = row.trouble.matters(seen)
                        && (row.reach == Reach::Every || sorts.insert(sort(seen)));
                    if !is_meant {
                        continue;
                    }
                    for (lasts, ends) in [(false, Some(row.once)), (true, row.always)] {
                        let Some(ends) = ends else { continue };
                        let trouble = &row.trouble;
                        self.one(Case { side, number, trouble, lasts, ends, seen }).await;
                    }
                }
            }
        }
    }

    async fn one(&mut self, case: Case<'_>) {
        self.tried += 1;
        let name = self.name();
        let old = self.prepare(&name).await;
        let when = When::number(case.number);
        let when = if case.lasts { when.always() } else { when };
        self.line(case.side).trouble(when, case.trouble.clone());
        let outcome = self.copy(&name).await;
        let hits = self.line(case.side).hits();
        let mut problems = match &outcome {
            Outcome::Done(copied) => {
                let mut problems = self.problems_of_success(&name).await;
                // Who says that there are no signatures is believed.
                let denies = *case.trouble == Trouble::Refuse(404) && case.side == Side::Source;
                problems.retain(|problem| {
                    !denies || !problem.contains(&self.world.referrer.to_string())
                });
                if copied.descriptor.digest != self.world.digest {
                    problems.push(format!("it says {}", copied.descriptor.digest));
                }
                problems
            }
            Outcome::Failed(fault) => {
                self.failed += 1;
                let mut problems = self.problems_of_failure(&name, old).await;
                problems.extend(self.problems_of_error(&case, fault));
                problems
            }
            Outcome::Endless => vec!["it does not end".to_owned()],
        };
        if hits == 0 {
            problems.push("the trouble never came".to_owned());
        }
        // What an error left must not stand in the way.
        if matches!(outcome, Outcome::Failed(_)) {
            self.calm();
            match self.copy(&name).await {
                Outcome::Done(_) => problems.extend(self.problems_of_success(&name).await),
                Outcome::Failed(fault) => problems.push(format!("the next copy: {fault}")),
                Outcome::Endless => problems.push("the next copy does not end".to_owned()),
            }
        }
        if !problems.is_empty() {
            let Case { side, number, trouble, lasts, seen, .. } = case;
            let (method, path) = (&seen.method, &seen.path);
            let often = if lasts { "always" } else { "once" };
            let problems = problems.join("; ");
            let wrong =
                format!("{trouble:?} {often} at {side:?} {number} ({method} {path}): {problems}");
            self.wrong.push(wrong);
        }
    }

    /// The tag, the image and its signature are there, whole.
    async fn problems_of_success(&self, name: &str) -> Vec<String> {
        let store = self.world.target(name);
        let mut problems = match store.resolve(&selector()).await.unwrap() {
            Some(found) if found.digest == self.world.digest => Vec::new(),
            Some(found) => vec![format!("done, but the tag is at {}", found.digest)],
            None => vec!["done, but there is no tag".to_owned()],
        };
        problems.extend(defects(&store, self.world.digest).await);
        problems.extend(defects(&store, self.world.referrer).await);
        problems
    }

    /// The tag is as it was, or all is there.
    async fn problems_of_failure(&self, name: &str, old: Option<Digest>) -> Vec<String> {
        let store = self.world.target(name);
        let found = store.resolve(&selector()).await.unwrap().map(|found| found.digest);
        match found {
            Some(digest) if digest == self.world.digest => defects(&store, digest).await,
            found if found == old => Vec::new(),
            Some(other) => vec![format!("the tag is at {other}, which nobody made")],
            None => vec!["the old tag is gone".to_owned()],
        }
    }

    /// One clear error: of a kind that fits, and it says where.
    fn problems_of_error(&self, case: &Case<'_>, fault: &Fault) -> Vec<String> {
        let mut problems = Vec::new();
        let fits = match case.ends {
            Ends::Well => false,
            Ends::Perhaps(kinds) => kinds.contains(&fault.kind),
        };
        if !fits {
            problems.push(format!("{:?}, wanted {:?}: {fault}", fault.kind, case.ends));
        }
        let text = fault.to_string();
        // The registry, or the repository where a blob is named by it.
        let places = [self.line(case.side).address(), self.line(other(case.side)).address()];
        if !places.iter().any(|place| text.contains(place.as_str())) {
            problems.push(format!("the error does not say where: {text}"));
        }
        if fault.message.contains('\n') || fault.message.is_empty() {
            problems.push(format!("not one line: {text:?}"));
        }
        if fault.retry != (fault.kind == Kind::Transient) && fault.kind != Kind::Mismatch {
            problems.push(format!("{:?}, but retry is {}", fault.kind, fault.retry));
        }
        problems
    }
}

/// Tries all rows, a part of them in each of several worlds at the same time: much of a trial is
/// waiting.
async fn try_all(before: Before, doors: Doors, rows: &[Row], at_least: usize) {
    let trials = futures::future::join_all((0..WORLDS).map(|first| async move {
        let mut trial = Trial::new(before, doors).await;
        trial.every(rows.iter().skip(first).step_by(WORLDS)).await;
        trial
    }));
    let (mut tried, mut failed, mut wrong) = (0, 0, Vec::new());
    for trial in trials.await {
        tried += trial.tried;
        failed += trial.failed;
        wrong.extend(trial.wrong);
    }
    assert!(wrong.is_empty(), "{} of {tried} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried >= at_least, "only {tried} cases were tried");
    assert!(failed > 0, "none of {tried} cases failed: trouble does not reach the copy");
}

/// What a request is about, without names.
fn sort(seen: &Seen) -> (String, &'static str) {
    let parts = [
        "/token",
        "/tags/list",
        "/referrers/",
        "/blobs/uploads/",
        "/blobs/",
        "/manifests/sha256:",
        "/manifests/sha256-",
        "/manifests/",
    ];
    let part = parts.into_iter().find(|part| seen.path.contains(part)).unwrap_or_default();
    (seen.method.clone(), part)
}

fn other(side: Side) -> Side {
    match side {
        Side::Source => Side::Target,
        Side::Target => Side::Source,
    }
}

#[tokio::test]
async fn no_trouble_leaves_half_an_image() {
    try_all(Before::Empty, Doors::Open, &rows(), 500).await;
}

#[tokio::test]
async fn tokens_may_end_at_any_request() {
    try_all(Before::Empty, Doors::Tokens, &token_rows(), 60).await;
}

#[tokio::test]
async fn an_old_tag_stays_or_moves_to_the_whole() {
    try_all(Before::Tagged, Doors::Open, &tag_rows(), 60).await;
}
