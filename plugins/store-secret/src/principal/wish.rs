//! What is wanted of a service principal, checked before anything is asked.

use arm::ResourceId;
use windlass_plugin::{Error, Result};

use crate::host::Host;
use crate::inputs::{Inputs, ServicePrincipal};
use crate::place::Place;
use crate::role::REGISTRY;
use crate::wish::{Facts, validity};

/// The most scopes of one principal: each costs requests.
const MOST_SCOPES: usize = 20;

/// What is wanted.
pub(super) struct Wish<'a> {
    pub(super) spec: &'a ServicePrincipal,
    pub(super) name: String,
    pub(super) scopes: Vec<ResourceId>,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) valid: u64,
    pub(super) renew: u64,
    pub(super) facts: Facts,
    pub(super) rotate: bool,
}

/// Reads what is wanted.
///
/// # Errors
/// `invalid.inputs` for what no tenant or vault takes.
pub(super) fn wish<'a, H: Host>(
    spec: &'a ServicePrincipal,
    inputs: &Inputs,
    place: &Place<'_, H>,
) -> Result<Wish<'a>> {
    let scopes = spec.scope.as_slice();
    if scopes.is_empty() || scopes.len() > MOST_SCOPES {
        return Err(Error::invalid(format!("the service principal has {} scopes", scopes.len()))
            .hint(format!(
                "say 1 to {MOST_SCOPES} resource ids: `az acr show --name REGISTRY --query id`"
            )));
    }
    let scopes: Vec<ResourceId> =
        scopes.iter().map(|scope| Ok(scope.parse::<ResourceId>()?)).collect::<Result<_>>()?;
    if spec.role.is_empty() || spec.role.len() > 512 || spec.role.contains(['?', '#', '%', '\\']) {
        return Err(
            Error::invalid(format!("`{}` is no role", spec.role)).hint("say `role = \"AcrPull\"`")
        );
    }
    let registry = scopes.iter().find(|scope| scope.is_a(REGISTRY)).map(ResourceId::name);
    let word = if spec.role.eq_ignore_ascii_case("AcrPush") { "push" } else { "pull" };
    let named = |given: &Option<String>, key: &str, suffix: &str| match (given, registry) {
        (Some(given), _) => Ok(given.clone()),
        (None, Some(registry)) if !place.is_local() || suffix.is_empty() => {
            Ok(format!("{registry}-{word}{suffix}"))
        }
        (None, _) => Err(Error::invalid(format!("`{key}` of `service-principal` is not said"))
            .hint(format!("only for a registry and a vault there is a usual one: say `{key}`"))),
    };
    let name = match &spec.app_id {
        Some(id) => spec.name.clone().unwrap_or_else(|| id.clone()),
        None => named(&spec.name, "name", "")?,
    };
    if name.is_empty() || name.chars().count() > 120 {
        return Err(Error::invalid(format!("no application can be called `{name}`"))
            .hint("a name has 1 to 120 characters"));
    }
    let user = named(&spec.user_secret, "user-secret", "-usr")?;
    let password = named(&spec.password_secret, "password-secret", "-pwd")?;
    place.checked(&user)?;
    place.checked(&password)?;
    if user.eq_ignore_ascii_case(&password) {
        return Err(Error::invalid("`user-secret` and `password-secret` are the same")
            .hint("say two names"));
    }
    let (valid, renew) = validity(&spec.valid, spec.renew_before.as_deref())?;
    let facts = Facts::of(inputs)?;
    Ok(Wish { spec, name, scopes, user, password, valid, renew, facts, rotate: inputs.rotate })
}
