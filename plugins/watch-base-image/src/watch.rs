//! Looks at all that is watched, says what has changed, and remembers it.

use images::{Judgement, Known, Stand, Terms, hold_for_others, judge};
use windlass_plugin::{Error, Result};

use crate::book::Book;
use crate::host::Host;
use crate::inputs::Inputs;
use crate::look::{self, Answer, Seen, look};
use crate::outputs::{Failed, Image, Outputs, Watched};
use crate::target::{Failure, Target, targets, terms};
use crate::{detail, report};

/// What outputs tell of one by one: a few hundred KiB of the 1 MiB that a step may give.
const MOST_LISTED: usize = 500;

/// An image that was looked at.
struct Checked {
    target: Target,
    seen: Seen,
    judgement: Judgement,
    at: u64,
}

/// Looks at all of it: the outputs, and a line that sums them up. In a dry run nothing is remembered.
///
/// # Errors
/// `invalid.inputs` and `invalid.dockerfile` before any registry is asked. What could not be checked,
/// after all others were: what was seen is remembered then, and what has changed is not told, so that
/// the next run tells it.
pub fn watch(inputs: &Inputs, is_dry_run: bool, host: &dyn Host) -> Result<(Outputs, String)> {
    let book = Book::default();
    let terms = terms(inputs, host)?;
    let targets = targets(inputs, &terms, &book, host)?;
    let mut failures = targets.failures;
    let mut checked = Vec::new();
    // What is known is read before registries are asked: then what others write meanwhile is seen.
    let known = targets.found.iter().map(|target| book.known(host, &target.key));
    let known = known.collect::<Result<Vec<_>>>()?;
    let answers = look::ask_all(&targets.found, host);
    for ((target, known), answer) in targets.found.into_iter().zip(known).zip(answers) {
        match check(target.clone(), known.as_ref(), answer, &terms, host) {
            Ok(one) => checked.push(one),
            Err(error) => failures.push(Failure { image: target.name(), error }),
        }
    }
    let mut judgements: Vec<&mut Judgement> =
        checked.iter_mut().map(|checked| &mut checked.judgement).collect();
    hold_for_others(&mut judgements, terms.settle, host.now());
    let all = checked.len() + failures.len();
    let has_changed = checked.iter().any(Checked::has_changed);
    let is_enough = inputs.keep_going && has_changed;
    let fails = !failures.is_empty() && !is_enough;
    if !is_dry_run {
        let lost = remember(&checked, book, !fails, host)?;
        for one in checked.iter_mut().filter(|one| one.target.basis.is_none()) {
            // Who was faster has told it.
            if lost.contains(&one.target.key) && one.has_changed() {
                host.say(&format!("`{}` was reported by another run", one.target.name()));
                one.judgement.stand = Stand::Unchanged;
            }
        }
    }
    for one in &checked {
        let name = one.target.reference(&one.judgement.sight);
        if let Some(line) = report::stand(&name, &one.judgement.sight.digest, &one.judgement.stand)
        {
            host.say(&line);
        }
    }
    if fails {
        for failure in failures.iter().skip(report::MOST_TOLD) {
            host.warn(&report::failed(failure));
        }
        return Err(report::error(&failures, all).unwrap_or_else(|| Error::failed("not checked")));
    }
    Ok(outputs(inputs, &checked, &failures, host))
}

fn check(
    target: Target,
    known: Option<&Known>,
    answer: Option<Answer>,
    terms: &Terms,
    host: &dyn Host,
) -> Result<Checked> {
    let seen = look(&target, known, answer, host)?;
    let at = host.now();
    let terms = Terms { wanted: target.wanted.clone(), ..terms.clone() };
    let judgement = judge(known, seen.old.as_ref(), seen.sight.clone(), &terms, at);
    match &judgement.stand {
        Stand::Waiting(missing) if terms.settle == 0 || seen.old.is_none() => {
            let have: Vec<&str> = judgement.sight.platforms.keys().map(String::as_str).collect();
            Err(Error::new(
                "not-found.platform",
                format!("it has no image for {}", missing.join(" and ")),
            )
            .hint(format!(
                "it has {}; with `settle` it is waited for those that went",
                have.join(", ")
            )))
        }
        Stand::Waiting(_)
        | Stand::Unchanged
        | Stand::Armed
        | Stand::Settling { .. }
        | Stand::Changed(_) => Ok(Checked { target, seen, judgement, at }),
    }
}

/// Remembers all that was seen; the keys of what others have written meanwhile.
fn remember(
    checked: &[Checked],
    book: Book,
    reports: bool,
    host: &dyn Host,
) -> Result<Vec<String>> {
    for one in checked {
        let Target { key, basis, .. } = &one.target;
        let known = book.known(host, key)?;
        let is_built_on = basis.is_some();
        // What still is what something was built on needs no memory.
        let is_basis = basis.as_ref().is_some_and(|it| it.digest == one.judgement.sight.digest);
        if known.is_none() && is_basis {
            continue;
        }
        let known = one.judgement.remember(known.as_ref(), is_built_on, reports);
        book.remember(key, known, one.at);
    }
    book.commit(host, host.now())
}

impl Checked {
    fn has_changed(&self) -> bool {
        matches!(self.judgement.stand, Stand::Changed(_))
    }

    /// What has changed, one for each platform.
    fn changes(&self) -> Vec<Image> {
        let Stand::Changed(changes) = &self.judgement.stand else { return Vec::new() };
        let sight = &self.judgement.sight;
        let image = |change: &images::Change| Image {
            image: self.target.reference(sight),
            platform: change.platform.clone(),
            old: change.old.clone(),
            new: change.new.clone(),
            tag: self.target.tag(sight).map(str::to_owned),
            old_tag: look::old_tag(&self.seen, change),
            ..Image::default()
        };
        changes.iter().map(image).collect()
    }

    fn watched(&self) -> Watched {
        let Judgement { stand, sight, .. } = &self.judgement;
        let (settling_until, waiting_for) = match stand {
            Stand::Settling { until } => (Some(report::moment(*until)), Vec::new()),
            Stand::Waiting(platforms) => (None, platforms.clone()),
            Stand::Unchanged | Stand::Armed | Stand::Changed(_) => (None, Vec::new()),
        };
        Watched {
            image: self.target.reference(sight),
            digest: sight.digest.clone(),
            checked: report::moment(self.at),
            settling_until,
            waiting_for,
        }
    }
}

fn outputs(
    inputs: &Inputs,
    checked: &[Checked],
    failures: &[Failure],
    host: &dyn Host,
) -> (Outputs, String) {
    let mut outputs = Outputs {
        changed: checked.iter().any(Checked::has_changed),
        watched: checked.iter().take(MOST_LISTED).map(Checked::watched).collect(),
        ..Outputs::default()
    };
    for one in checked {
        for mut image in one.changes() {
            if outputs.images.len() >= MOST_LISTED {
                break;
            }
            if inputs.changes {
                detail::add(&mut image, &one.target.repository, host);
            }
            host.say(&report::changed(&image));
            outputs.images.push(image);
        }
    }
    for failure in failures {
        host.warn(&report::failed(failure));
        if outputs.failed.len() < MOST_LISTED {
            outputs.failed.push(Failed {
                image: failure.image.clone(),
                code: failure.error.code().to_owned(),
                message: failure.error.message().to_owned(),
            });
        }
    }
    outputs.requests = host.requests();
    let is_settling =
        |one: &&Checked| matches!(one.judgement.stand, Stand::Settling { .. } | Stand::Waiting(_));
    let settling = checked.iter().filter(is_settling).count();
    let changed = checked.iter().filter(|one| one.has_changed()).count();
    let all = checked.len() + failures.len();
    let summary = report::summary(&outputs, all, changed, settling);
    (outputs, summary)
}

#[cfg(test)]
pub(crate) mod tests;
