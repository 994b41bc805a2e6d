//! What webhooks tell, and what it starts.

use std::sync::Arc;

use ::hook::{Delivery, Endpoint, Hooks, NotTaken, Push, Taken};
use ::run::{Clock as _, SystemClock};
use capability::{Grant, GrantText, RepositoryId, Want, matches_wildcard};
use oci::{Place, Reference};
use pipeline::plan::{Concurrency, Rule, Trigger};
use record::trigger::{self, News};
use record::{Decided, Look, Store, TriggerRow};
use report::{Diagnostic, Fault, Kind};
use serde_json::json;

use super::files::Files;
use super::look::next;
use super::looks::say_fired;
use super::watched::Watched;
use crate::settings::Settings;
use crate::ui;

/// Attempts to decide while others decide too; each attempt is one of them being done.
const MOST_ATTEMPTS: usize = 100;

/// Hears webhooks for all files.
pub(super) struct Ears {
    pub(super) files: Arc<Files>,
    pub(super) settings: Settings,
}

/// What a webhook's trigger wants to hear of.
struct Wanted<'t> {
    images: Option<Grant>,
    tags: &'t [String],
    branches: &'t [String],
}

impl Hooks for Ears {
    fn endpoint(&self, name: &str) -> Option<Endpoint> {
        self.files.all().iter().find_map(|watched| watched.endpoints.get(name).cloned())
    }

    async fn take(&self, name: &str, delivery: Delivery) -> Result<Taken, NotTaken> {
        self.taken(name, &delivery).map_err(|fault| {
            let message = format!("what `/hooks/{name}` heard could not be written down: {fault}");
            let warning = Diagnostic::warning(message).maybe_help(fault.help);
            ui::show_diagnostics(&[warning], self.settings.style);
            NotTaken
        })
    }
}

impl Ears {
    fn taken(&self, name: &str, delivery: &Delivery) -> Result<Taken, Fault> {
        let mut store = Store::open(&self.settings.state_dir)?;
        let (mut started, mut looks) = (Vec::new(), false);
        for watched in self.files.all() {
            for trigger in &watched.plan.triggers {
                if !matches!(&trigger.rule, Rule::Webhook { name: own, .. } if own == name) {
                    continue;
                }
                let (news, woken) = self.news(&watched, trigger, delivery, &mut store)?;
                looks |= woken;
                let told = trigger::Delivery { id: delivery.id.clone(), news };
                if told.news.is_empty() {
                    continue;
                }
                if let Some(id) = decide(&watched, trigger, &told, &mut store)? {
                    let short = store.short(&id)?;
                    say_fired(&watched, trigger, &short, &self.settings);
                    started.push(short);
                }
            }
        }
        Ok(match (started.is_empty(), looks) {
            (false, _) => Taken::Started(started),
            (true, true) => Taken::Ignored("the images are looked at now".to_owned()),
            (true, false) => Taken::Ignored("nothing of it is wanted, or new".to_owned()),
        })
    }

    /// What of a delivery is wanted by `trigger`. What another trigger of the file looks at anyway is
    /// left to it: it looks now, and there is one run. Whether one does.
    fn news(
        &self,
        watched: &Watched,
        trigger: &Trigger,
        delivery: &Delivery,
        store: &mut Store,
    ) -> Result<(Vec<News>, bool), Fault> {
        let wanted = Wanted::of(trigger)?;
        let (mut news, mut woken) = (Vec::new(), false);
        for push in delivery.pushes.iter().filter(|push| wanted.push(push)) {
            let lookers = lookers(watched, push, store)?;
            for looker in &lookers {
                store.wake(&watched.new.file, looker, SystemClock.now())?;
                woken = true;
            }
            if lookers.is_empty() {
                news.push(of_push(push));
            }
        }
        for commit in delivery.commits.iter().filter(|it| wanted.commit(&it.reference)) {
            news.push(News {
                id: None,
                of: format!("{} {}", commit.repository, commit.reference),
                now: Some(commit.id.clone()),
                told: json!({
                    "repository": commit.repository,
                    "reference": commit.reference,
                    "commit": commit.id,
                }),
            });
        }
        if delivery.pushes.is_empty() && delivery.commits.is_empty() {
            // That it came is all that is known.
            news.push(News { told: json!({}), ..News::default() });
        }
        Ok((news, woken))
    }
}

/// The triggers that look at the repository of `push`.
fn lookers(watched: &Watched, push: &Push, store: &Store) -> Result<Vec<String>, Fault> {
    let Some(pushed) = reference(push) else { return Ok(Vec::new()) };
    let mut lookers = Vec::new();
    for trigger in &watched.plan.triggers {
        if !matches!(trigger.rule, Rule::Images { .. }) {
            continue;
        }
        let Some(row) = store.trigger(&watched.new.file, &trigger.name)? else { continue };
        let is_same = |image: &String| {
            image.parse::<Reference>().is_ok_and(|image| {
                image.registry() == pushed.registry() && image.repository() == pushed.repository()
            })
        };
        if trigger::watched(&row.state).iter().any(is_same) {
            lookers.push(trigger.name.clone());
        }
    }
    Ok(lookers)
}

fn reference(push: &Push) -> Option<Reference> {
    format!("{}/{}", push.host.as_ref()?, push.repository).parse().ok()
}

fn of_push(push: &Push) -> News {
    let Push { id, host, repository, tag, digest, at } = push;
    let host = host.as_ref().map(|host| format!("{host}/")).unwrap_or_default();
    let tagged = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let of = format!("{host}{repository}{tagged}");
    News {
        id: id.clone(),
        now: digest.clone(),
        told: json!({ "image": of, "digest": digest, "at": at }),
        of,
    }
}

/// Writes what is told and the run that it starts, if it is new: its id.
fn decide(
    watched: &Watched,
    trigger: &Trigger,
    told: &trigger::Delivery,
    store: &mut Store,
) -> Result<Option<String>, Fault> {
    for _ in 0..MOST_ATTEMPTS {
        let before = store.trigger(&watched.new.file, &trigger.name)?;
        let at = SystemClock.now();
        let look = Look {
            name: trigger.name.clone(),
            watches: trigger.watches.clone(),
            run: watched.run_of(trigger),
            replaces: watched.plan.concurrency == Concurrency::CancelPrevious,
            version: before.as_ref().map_or(0, TriggerRow::version),
            at,
            next_at: next(trigger, at),
            error: None,
        };
        match store.decide(&look, |before| trigger::delivery(before, told))? {
            Decided::Outdated => {}
            Decided::Unchanged => return Ok(None),
            Decided::Fired(id) => return Ok(Some(id)),
        }
    }
    Err(Fault::new(Kind::Transient, "others decide all the time"))
}

impl<'t> Wanted<'t> {
    fn of(trigger: &'t Trigger) -> Result<Self, Fault> {
        let Rule::Webhook { images, tags, branches, .. } = &trigger.rule else {
            return Ok(Self { images: None, tags: &[], branches: &[] });
        };
        let grant = GrantText { oci_pull: images.clone(), ..GrantText::default() };
        let images = (!images.is_empty()).then(|| Grant::compile(&grant)).transpose()?;
        Ok(Self { images, tags, branches })
    }

    /// Whether a push counts. One without a tag is part of another, as the images of an index are.
    fn push(&self, push: &Push) -> bool {
        let is_image = self.images.as_ref().is_none_or(|images| {
            reference(push).is_some_and(|pushed| {
                RepositoryId::of(&Place::Registry(pushed))
                    .is_ok_and(|pushed| images.allows(&Want::Pull(&pushed)).is_ok())
            })
        });
        let is_tagged = push.tag.as_deref().is_some_and(|tag| {
            self.tags.is_empty() || self.tags.iter().any(|pattern| matches_wildcard(pattern, tag))
        });
        is_image && is_tagged
    }

    fn commit(&self, reference: &str) -> bool {
        let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        let mut branches = self.branches.iter();
        self.branches.is_empty() || branches.any(|pattern| matches_wildcard(pattern, branch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(host: &str, repository: &str, tag: Option<&str>) -> Push {
        Push {
            host: Some(host.to_owned()),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            ..Push::default()
        }
    }

    fn wants(images: &[&str], tags: &[&str], push: &Push) -> bool {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        let trigger = Trigger {
            name: "webhook".to_owned(),
            watches: String::new(),
            rule: Rule::Webhook {
                name: "hook".to_owned(),
                from: pipeline::plan::Sender::Any,
                secret: "s".to_owned(),
                check: None,
                header: None,
                images: texts(images),
                tags: texts(tags),
                branches: Vec::new(),
            },
        };
        Wanted::of(&trigger).unwrap().push(push)
    }

    #[test]
    fn images_and_tags_count_by_pattern() {
        let node = push("localhost:5000", "base/node", Some("9-alpine"));
        assert!(wants(&[], &[], &node));
        assert!(wants(&["localhost:5000/base/**"], &["9-*"], &node));
        assert!(!wants(&["localhost:5001/base/**"], &[], &node));
        assert!(!wants(&["localhost:5000/base/**"], &["8-*"], &node));
        let hub = push("index.docker.io", "library/node", Some("22"));
        assert!(wants(&["docker.io/library/*"], &[], &hub));
    }

    #[test]
    fn a_push_without_a_tag_is_part_of_another() {
        assert!(!wants(&[], &[], &push("localhost:5000", "base/node", None)));
    }
}
