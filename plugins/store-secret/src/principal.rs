//! A service principal with a role, and its credentials where they are kept.
//!
//! In this order, so that what is stored always works, wherever it is broken off: application,
//! principal, role, the user, a password, the password stored, earlier ones removed. A password that
//! could not be stored is removed again.

mod wish;

use arm::Arm;
use windlass_plugin::{Error, Result};

use crate::graph::{Application, Graph, Password, Principal};
use crate::host::Host;
use crate::inputs::{Inputs, ServicePrincipal};
use crate::outputs::{Outputs, Stored};
use crate::place::{Place, Present, Value};
use crate::role;
use crate::wish::{Facts, OWN, When};
use wish::{Wish, wish};

/// The tag with the application's id.
const APP_ID: &str = "windlass-app-id";

/// The tag with the password's id.
const KEY_ID: &str = "windlass-key-id";

/// The longest name of a password; Graph's limit is not told, and this is below what is known to work.
const LONGEST_NAME: usize = 60;

/// Who is asked.
struct Azure<'a, 'h, H: Host> {
    graph: Graph<'h, H>,
    arm: Arm<'h, H>,
    place: &'a Place<'h, H>,
    host: &'h H,
}

/// Makes what is not there yet, and stores it; tells what was done, for a person.
///
/// # Errors
/// `invalid.inputs`, and those of Graph, Azure Resource Manager and the place.
pub fn ensure<H: Host>(
    spec: &ServicePrincipal,
    inputs: &Inputs,
    place: &Place<'_, H>,
    host: &H,
    dry_run: bool,
) -> Result<(Outputs, String)> {
    let wish = wish(spec, inputs, place)?;
    let graph = Graph::new(host, &inputs.graph_endpoint)?;
    let arm = Arm::new(host, Some(&inputs.arm_endpoint))?;
    let azure = Azure { graph, arm, place, host };
    let Azure { graph, arm, .. } = &azure;
    let found = graph.application(&wish.name, spec.app_id.as_deref())?;
    if let (None, Some(id)) = (&found, &spec.app_id) {
        return Err(Error::new("not-found.azure", format!("there is no application `{id}`"))
            .hint("leave out `app-id` to have one made"));
    }
    if dry_run {
        return look(&wish, found, &azure);
    }
    let is_new = found.is_none();
    let app = match found {
        Some(app) => app,
        None => graph.create_application(&wish.name)?,
    };
    let principal = if is_new { None } else { graph.principal(&app.app_id)? };
    let mut changed = principal.is_none();
    let is_fresh = principal.is_none();
    let principal = match principal {
        Some(principal) => principal,
        None => graph.create_principal(&app.app_id)?,
    };
    let mut role_assignments = Vec::new();
    for scope in &wish.scopes {
        let role = role::meant(arm, host, scope, &spec.role)?;
        let definition = role::definition(arm, scope, &role)?;
        let there = match is_fresh {
            true => None,
            false => role::find(arm, scope, &principal.id, &definition)?,
        };
        role_assignments.push(match there {
            Some(id) => Some(id),
            None => {
                let assigned = role::assign(arm, host, scope, &principal.id, &definition)?;
                changed |= assigned.changed;
                assigned.id
            }
        });
    }
    let (user, password, key) = credentials(&wish, &app, is_new, &azure)?;
    let is_rotated = password.changed;
    changed |= user.changed || is_rotated;
    if !spec.keep_previous {
        for old in earlier(&wish, &app, &key.key_id) {
            graph.remove_password(&app.id, &old.key_id)?;
            host.say(&format!("removed the earlier password {}", old.key_id));
            changed = true;
        }
    }
    let summary = match (is_new, is_rotated, changed) {
        (true, ..) => {
            format!("made `{}`, and stored its credentials in {}", wish.name, place.shown())
        }
        (_, true, _) => format!("stored a new password of `{}` in {}", wish.name, place.shown()),
        (_, false, true) => format!("`{}` has its role and its credentials again", wish.name),
        (_, false, false) => format!("`{}` has its role, and its password is good", wish.name),
    };
    let outputs = Outputs { changed, role_assignments, ..outputs(&wish, &app, &principal, &key) };
    Ok((with(outputs, user, password), summary))
}

/// Stores the user and the password where they are not there yet, or not good for long any more.
fn credentials<H: Host>(
    wish: &Wish<'_>,
    app: &Application,
    is_new: bool,
    azure: &Azure<'_, '_, H>,
) -> Result<(Stored, Stored, Password)> {
    let Azure { graph, place, host, .. } = azure;
    let is_unread = is_new || (wish.rotate && place.is_local());
    let user = if is_unread { None } else { place.describe(&wish.user)? };
    let user = match user {
        Some(present) if is_user(&present, app, *host) => present.stored(&wish.user),
        present => {
            let value = match place.is_local() {
                true => Value::Secret(graph.app_id_as_secret(&app.id)?),
                false => Value::Text(app.app_id.clone()),
            };
            place.write(&wish.user, value, &marked(wish, app, None), present.as_ref())?
        }
    };
    let present = if is_unread { None } else { place.read(&wish.password)? };
    if let Some(present) = &present
        && let Some(key) = good(present, wish, app, *host)
    {
        return Ok((user, present.stored(&wish.password), key.clone()));
    }
    let (key, secret) = graph.add_password(&app.id, &title(&wish.password), wish.valid)?;
    let facts = marked(wish, app, Some(&key));
    match place.write(&wish.password, Value::Secret(secret), &facts, present.as_ref()) {
        Ok(stored) => Ok((user, stored, key)),
        Err(error) => {
            if let Err(left) = graph.remove_password(&app.id, &key.key_id) {
                host.warn(&format!(
                    "the password {} is made and stored nowhere: {left}",
                    key.key_id
                ));
            }
            Err(error)
        }
    }
}

/// What would be done, by reading alone.
fn look<H: Host>(
    wish: &Wish<'_>,
    found: Option<Application>,
    azure: &Azure<'_, '_, H>,
) -> Result<(Outputs, String)> {
    let Azure { graph, arm, place, host } = azure;
    let mut would = Vec::new();
    let is_new = found.is_none();
    let app = found.unwrap_or_default();
    let principal = if is_new { None } else { graph.principal(&app.app_id)? };
    if is_new {
        would.push(format!("make the application `{}`", wish.name));
    }
    if principal.is_none() {
        would.push("make its service principal".to_owned());
    }
    let mut role_assignments = Vec::new();
    for scope in &wish.scopes {
        let role = role::meant(arm, host, scope, &wish.spec.role)?;
        let definition = role::definition(arm, scope, &role)?;
        let there = match &principal {
            Some(principal) => role::find(arm, scope, &principal.id, &definition)?,
            None => None,
        };
        if there.is_none() {
            would.push(format!("give it {role} on `{}`", scope.name()));
        }
        role_assignments.push(there);
    }
    let written = |name: &str| Stored { name: name.to_owned(), changed: true, ..Stored::default() };
    let user = match place.describe(&wish.user)? {
        Some(present) if !is_new && is_user(&present, &app, *host) => present.stored(&wish.user),
        _ => {
            would.push(format!("store `{}`", wish.user));
            written(&wish.user)
        }
    };
    let present = place.read(&wish.password)?;
    let key = present.as_ref().and_then(|present| good(present, wish, &app, *host)).cloned();
    let password = match (&present, &key) {
        (Some(present), Some(_)) => present.stored(&wish.password),
        _ => {
            would.push(format!("make a password, and store it as `{}`", wish.password));
            written(&wish.password)
        }
    };
    let key = key.unwrap_or_default();
    if !wish.spec.keep_previous {
        let old = earlier(wish, &app, &key.key_id).count();
        if old > 0 {
            would.push(format!("remove earlier passwords ({old})"));
        }
    }
    let summary = match would.is_empty() {
        true => format!("`{}` has its role, and its password is good", wish.name),
        false => format!("would {}", would.join(", ")),
    };
    let principal = principal.unwrap_or_default();
    let outputs = Outputs {
        changed: !would.is_empty(),
        role_assignments,
        ..outputs(wish, &app, &principal, &key)
    };
    Ok((with(outputs, user, password), summary))
}

/// What is stored with a credential: the password's end is the secret's.
fn marked(wish: &Wish<'_>, app: &Application, key: Option<&Password>) -> Facts {
    let mut facts = wish.facts.clone();
    facts.tags.insert(APP_ID.to_owned(), app.app_id.clone());
    if let Some(key) = key {
        facts.tags.insert(KEY_ID.to_owned(), key.key_id.clone());
        facts.expires = Some(When::At(key.end));
    }
    facts
}

/// Whether it is the user that was stored here: whoever sets another value does so without our tags.
fn is_user<H: Host>(present: &Present<H::Secret>, app: &Application, host: &H) -> bool {
    present.closed.is_none()
        && !present.value.as_ref().is_some_and(|value| host.is_empty(value))
        && present.tag(APP_ID) == Some(app.app_id.as_str())
}

/// The password that is stored, if the application has it for long enough.
fn good<'a, H: Host>(
    present: &Present<H::Secret>,
    wish: &Wish<'_>,
    app: &'a Application,
    host: &H,
) -> Option<&'a Password> {
    if wish.rotate || !is_open(present, host) || present.tag(APP_ID) != Some(app.app_id.as_str()) {
        return None;
    }
    let key = app.passwords.iter().find(|key| present.tag(KEY_ID) == Some(key.key_id.as_str()))?;
    (key.end > host.clock().saturating_add(wish.renew)).then_some(key)
}

fn is_open<H: Host>(present: &Present<H::Secret>, host: &H) -> bool {
    present.closed.is_none() && present.value.as_ref().is_some_and(|value| !host.is_empty(value))
}

/// The passwords that this step has made before `key_id`, for the same secret.
fn earlier<'a>(
    wish: &Wish<'_>,
    app: &'a Application,
    key_id: &'a str,
) -> impl Iterator<Item = &'a Password> {
    let title = title(&wish.password);
    app.passwords.iter().filter(move |key| key.name == title && key.key_id != key_id)
}

/// What our passwords for the secret are called.
fn title(secret: &str) -> String {
    format!("{OWN}{secret}").chars().take(LONGEST_NAME).collect()
}

fn outputs(wish: &Wish<'_>, app: &Application, principal: &Principal, key: &Password) -> Outputs {
    let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Outputs {
        app_id: said(&app.app_id),
        object_id: said(&principal.id),
        tenant: principal.tenant.clone(),
        key_id: said(&key.key_id),
        user_secret: said(&wish.user),
        password_secret: said(&wish.password),
        ..Outputs::default()
    }
}

/// With what was stored; the password is what the step is about.
pub(crate) fn with(outputs: Outputs, user: Stored, password: Stored) -> Outputs {
    Outputs {
        name: password.name.clone(),
        id: password.id.clone(),
        version: password.version.clone(),
        expires: password.expires.clone(),
        secrets: vec![user, password],
        ..outputs
    }
}
