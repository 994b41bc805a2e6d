//! Has Azure copy: `importImage` of a registry.

use std::cell::RefCell;
use std::time::Duration;

use acr::{REGISTRIES, Registries, Registry, Scope};
use arm::{Arm, Http, Wait};
use windlass_plugin::oci::{Copied, Descriptor};
use windlass_plugin::{Error, Outcome, Result};

use crate::import::{Host, Order, Tally, orders};
use crate::inputs::{Inputs, Mode};
use crate::outputs::{Manifest, Outputs};

pub mod explain;
pub mod look;
mod request;
pub mod source;

use explain::explain;
use look::Seen;
use source::split;

/// What the logic needs of the host, besides [`Host`].
pub trait Azure {
    /// How Azure is asked.
    type Http: Http;

    /// How Azure is asked.
    fn http(&self) -> &Self::Http;

    /// The handle of a secret.
    ///
    /// # Errors
    /// Those of the host.
    fn secret(&self, name: &str) -> Result<<Self::Http as Http>::Secret>;

    /// What is at a reference, read from here; none where there is nothing.
    ///
    /// # Errors
    /// Those of the host.
    fn look(&self, reference: &str) -> Result<Option<Seen>>;

    /// Its digest alone.
    ///
    /// # Errors
    /// Those of the host.
    fn digest(&self, reference: &str) -> Result<Option<String>>;
}

/// One call of `importImage`: an image, and where it goes in one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Import {
    source: String,
    /// The target's login server.
    server: String,
    orders: Vec<Order>,
}

/// Has Azure import every source into its targets; in a dry run only looks what would be done.
///
/// # Errors
/// `invalid.inputs` before anything is done; else Azure's errors, with what to do. What was imported
/// until then stays.
pub fn import<A: Azure>(
    inputs: &Inputs,
    is_dry_run: bool,
    limit: Duration,
    host: &dyn Host,
    azure: &A,
) -> Result<Outcome<Outputs>> {
    if inputs.username.is_some() && inputs.password.is_none() {
        return Err(Error::invalid("`username` is given without `password`")
            .hint("name a secret with `password`, or leave `username` away"));
    }
    let orders = orders(inputs, host)?;
    let imports = grouped(&orders)?;
    let http = azure.http();
    let arm = Arm::new(http, inputs.endpoint.as_deref())?;
    let scope =
        Scope { subscription: inputs.subscription.clone(), group: inputs.resource_group.clone() };
    let registries = Registries::read(&arm, &scope)?;
    let importer = Importer {
        inputs,
        arm: &arm,
        registries: &registries,
        azure,
        host,
        last: RefCell::default(),
    };
    let begun = http.now();
    let mut tally = Tally::default();
    tally.outputs.mode = Mode::Server;
    'all: for import in &imports {
        let left = limit.saturating_sub(http.now().saturating_sub(begun));
        for (order, copied) in importer.import(import, is_dry_run, left) {
            let has_failed = copied.is_err();
            tally.add(order, copied);
            if has_failed && !inputs.keep_going && !is_dry_run {
                break 'all;
            }
        }
    }
    tally.refuse(orders.len(), inputs.keep_going || is_dry_run, host)?;
    if let ([_], [order, ..], false) = (imports.as_slice(), orders.as_slice(), is_dry_run) {
        tally.outputs.manifests = importer.manifests(order, &orders);
    }
    Ok(tally.outcome(orders.len(), is_dry_run, host))
}

/// One import for each source and registry, in their order.
fn grouped(orders: &[Order]) -> Result<Vec<Import>> {
    let mut imports: Vec<Import> = Vec::new();
    for order in orders {
        let server = split(&order.target).host.ok_or_else(|| {
            Error::invalid(format!("the target `{}` names no registry", order.target))
                .hint("write `LOGIN-SERVER/REPOSITORY:TAG`, such as `myregistry.azurecr.io/app:1`")
        })?;
        let source = &order.source;
        match imports.iter_mut().find(|it| it.source == *source && it.server == server) {
            Some(import) => import.orders.push(order.clone()),
            None => {
                let (source, orders) = (source.clone(), vec![order.clone()]);
                imports.push(Import { source, server, orders });
            }
        }
    }
    Ok(imports)
}

struct Importer<'a, 'h, A: Azure> {
    inputs: &'a Inputs,
    arm: &'a Arm<'h, A::Http>,
    registries: &'a Registries,
    azure: &'a A,
    host: &'a dyn Host,
    /// What was last seen in a target.
    last: RefCell<Option<Seen>>,
}

impl<A: Azure> Importer<'_, '_, A> {
    /// What became of each order, or would become of it.
    fn import<'o>(
        &self,
        import: &'o Import,
        is_dry_run: bool,
        left: Duration,
    ) -> Vec<(&'o Order, Result<Copied>)> {
        let mut answers = Vec::new();
        let mut open = Vec::new();
        for order in &import.orders {
            match self.standing(order) {
                Ok(Standing::Done(copied)) => {
                    let digest = &copied.descriptor.digest;
                    let (target, source) = (order.reference(), &order.source);
                    self.host.say(&format!("`{target}` is up to date with `{source}` ({digest})"));
                    answers.push((order, Ok(*copied)));
                }
                Ok(Standing::Open(before)) => open.push((order, before)),
                Err(error) => answers.push((order, Err(error))),
            }
        }
        if open.is_empty() || (answers.iter().any(|(_, it)| it.is_err()) && !self.inputs.keep_going)
        {
            return answers;
        }
        let todo: Vec<&Order> = open.iter().map(|(order, _)| *order).collect();
        let done = self.call(import, &todo, is_dry_run, left);
        for (order, before) in open {
            let copied = match &done {
                Err(error) => Err(error.clone()),
                Ok(()) => Ok(self.outcome(order, before.as_deref(), is_dry_run)),
            };
            answers.push((order, copied));
        }
        answers
    }

    /// How the target stands before anything is done.
    fn standing(&self, order: &Order) -> Result<Standing> {
        let parts = split(&order.source);
        let digest = parts.selector.strip_prefix('@').map(str::to_owned);
        let place = match (&order.tag, &digest) {
            (Some(_), _) => order.reference(),
            (None, Some(digest)) => format!("{}@{digest}", order.target),
            (None, None) => return Ok(Standing::Open(None)),
        };
        // Whoever may import need not be able to read the target, nor to reach it.
        let Ok(Some(before)) = self.azure.digest(&place) else { return Ok(Standing::Open(None)) };
        // Of a source by tag the digest is asked only where it decides; Azure may see what we do not.
        let wanted = match digest {
            Some(digest) => Some(digest),
            None if self.inputs.force => None,
            // Without a host it is an image of the registry that is named, not one of Docker Hub.
            None if self.inputs.source_registry.is_some() && parts.host.is_none() => None,
            None => self.azure.digest(&order.source).ok().flatten(),
        };
        match wanted {
            Some(wanted) if wanted == before => {
                Ok(Standing::Done(Box::new(copied(&Seen::of(&before), &wanted, false))))
            }
            Some(wanted) if !self.inputs.force => {
                let tag = order.tag.as_deref().unwrap_or_default();
                let message = format!("the tag `{tag}` points at {before}, not at {wanted}");
                Err(Error::new("oci.conflict", message).hint("set `force = true` to move the tag"))
            }
            Some(_) | None => Ok(Standing::Open(Some(before))),
        }
    }

    fn call(
        &self,
        import: &Import,
        todo: &[&Order],
        is_dry_run: bool,
        left: Duration,
    ) -> Result<()> {
        let target = self.registries.expect(&import.server)?;
        let body = self.body(import, todo)?;
        let places: Vec<String> =
            todo.iter().map(|order| format!("`{}`", order.reference())).collect();
        let (source, places) = (&import.source, places.join(", "));
        if is_dry_run {
            self.host.say(&format!("Azure would import `{source}` to {places}"));
            return Ok(());
        }
        self.host.say(&format!("Azure imports `{source}` to {places}"));
        let path = format!("{}/importImage", target.id);
        let wait = Wait { limit: left, each: &|_| {} };
        let begun = self.arm.post(path, REGISTRIES, Some(&body));
        let done = begun.and_then(|answer| self.arm.finish(answer, &wait));
        done.map(|_| ()).map_err(|failure| self.advise(explain(failure, source), target, source))
    }

    /// Adds what only we know: that a registry of Azure was asked as a stranger.
    fn advise(&self, error: Error, target: &Registry, source: &str) -> Error {
        let host = split(source).host.unwrap_or_default();
        let is_stranger = self.inputs.source_registry.is_none()
            && self.inputs.password.is_none()
            && acr::is_login_server(&host)
            && self.registries.find(&host).is_none();
        match is_stranger && !error.is("conflict") && !error.is("timeout") {
            true => {
                let subscription = target.id.subscription_id();
                error.hint(format!(
                    "`{host}` is not in subscription {subscription}, so that it was read without an \
                     account: name its resource id with `source-registry`, or give `username` and \
                     `password`"
                ))
            }
            false => error,
        }
    }

    /// What is told of an order that Azure has done, or would do.
    fn outcome(&self, order: &Order, before: Option<&str>, is_dry_run: bool) -> Copied {
        let digest = split(&order.source).selector.strip_prefix('@').map(str::to_owned);
        let place = match (&order.tag, &digest) {
            (None, Some(digest)) => format!("{}@{digest}", order.target),
            (Some(_), _) | (None, None) => order.reference(),
        };
        let looked = match is_dry_run || (order.tag.is_none() && digest.is_none()) {
            true => Ok(None),
            false => self.azure.look(&place),
        };
        if let Err(error) = &looked {
            self.host.say(&format!(
                "`{place}` cannot be read from here, so its digest is not told: {error}"
            ));
        }
        let seen = looked.ok().flatten();
        self.last.replace(seen.clone());
        let seen = seen.unwrap_or_else(|| Seen::of(digest.as_deref().unwrap_or_default()));
        let is_changed = before.is_none_or(|before| before != seen.digest);
        if !is_dry_run && !seen.digest.is_empty() {
            self.host.say(&format!("`{}` is {}", order.reference(), seen.digest));
        }
        let source = digest.unwrap_or_else(|| seen.digest.clone());
        copied(&seen, &source, is_changed)
    }

    /// What there is in the target now, of the one image that was imported.
    fn manifests(&self, order: &Order, all: &[Order]) -> Vec<Manifest> {
        let Some(seen) = self.last.take() else { return Vec::new() };
        let same = all.iter().filter(|other| other.target == order.target);
        seen.manifests(same.filter_map(|other| other.tag.clone()).collect())
    }
}

/// How a target stands.
enum Standing {
    /// As it should.
    Done(Box<Copied>),
    /// To be imported; the digest that is there.
    Open(Option<String>),
}

fn copied(seen: &Seen, source: &str, is_changed: bool) -> Copied {
    Copied {
        descriptor: Descriptor {
            media_type: seen.media_type.clone(),
            digest: seen.digest.clone(),
            size: seen.size,
            artifact_type: None,
            platform: None,
            annotations: Vec::new(),
        },
        source_digest: source.to_owned(),
        is_changed,
        platforms: seen.platforms(),
        sent: 0,
        sent_bytes: 0,
        mounted: 0,
        mounted_bytes: 0,
        skipped: 0,
        skipped_bytes: 0,
        referrers: 0,
    }
}

#[cfg(test)]
mod tests;
