//! The secrets of a vault, `https://NAME.vault.azure.net/secrets`.

use serde_json::{Map, Value, json};

use super::Vault;
use super::describe::{describe, is_secret_name};
use super::secret::{Deleted, Secret, Shown, Version};
use crate::answer::{Answer, Answered, Refusal};
use crate::azure::Azure;
use crate::call::Call;
use crate::faults::Fault;
use crate::hidden::Hidden;
use crate::json::{at, set};
use crate::login::audience::For;
use crate::login::caller::{Caller, CallerError};
use crate::net::host;
use crate::role::{self, Right};
use crate::world::World;

/// What the service takes for a value.
const LARGEST_VALUE: usize = 25 * 1024;
/// What a page of a list has at most, and if nobody says how much.
const PAGE: usize = 25;

const DAY: i64 = 24 * 3600;

pub(crate) fn answer(azure: &Azure, vault: &str, call: &Call) -> Answered {
    if !azure.store.read(|world| Vault::resource(world, vault).is_some()) {
        // In the real cloud, such a name leads to no address at all.
        let message = format!("The vault '{vault}' does not exist in the emulator.");
        return Err(Refusal::new(404, "VaultNotFound", message));
    }
    let is_version = |version: &str| {
        let numbers = version.split_once('.');
        numbers.is_some_and(|(a, b)| [a, b].iter().all(|n| n.parse::<u16>().is_ok()))
    };
    let caller = caller(azure, call)?;
    if !call.query("api-version").is_some_and(is_version) {
        return Err(Refusal::bad("BadParameter", "api-version must be specified"));
    }
    let room = Room { azure, vault, call, caller };
    let (method, path) = call.route();
    match (method, path.as_slice()) {
        ("GET", ["secrets"]) => room.list(),
        ("PUT", ["secrets", name]) => room.set(name),
        ("GET", ["secrets", name]) => room.get(name, None),
        ("GET", ["secrets", name, "versions"]) => room.versions(name),
        ("GET", ["secrets", name, version]) => room.get(name, Some(version)),
        ("PATCH", ["secrets", name, version]) => room.update(name, version),
        ("DELETE", ["secrets", name]) => room.delete(name),
        ("GET", ["deletedsecrets"]) => room.deleted(),
        ("GET", ["deletedsecrets", name]) => room.show_deleted(name),
        ("POST", ["deletedsecrets", name, "recover"]) => room.recover(name),
        ("DELETE", ["deletedsecrets", name]) => room.purge(name),
        _ => Err(Refusal::unknown(method, &call.path)),
    }
}

fn caller(azure: &Azure, call: &Call) -> Result<Caller, Refusal> {
    let tenant = &azure.config.names.tenant;
    let authority = call.origin.url(host::LOGIN, &format!("/{tenant}"));
    let refuse = |message: &str| {
        let challenge =
            format!("Bearer authorization=\"{authority}\", resource=\"https://vault.azure.net\"");
        Refusal::new(401, "Unauthorized", message).with("www-authenticate", challenge)
    };
    let token = call
        .bearer()
        .ok_or_else(|| refuse("AKV10000: Request is missing a Bearer or PoP token."))?;
    Caller::of(azure, token, For::Vault).map_err(|error| match error {
        CallerError::Token(_) => refuse("[TokenExpired] Error validating token: 'S2S12086'."),
        CallerError::Audience(audience) => refuse(&format!(
            "AKV10022: Invalid audience. Expected https://vault.azure.net, found: {audience}."
        )),
    })
}

/// A vault that somebody is in.
struct Room<'a> {
    azure: &'a Azure,
    vault: &'a str,
    call: &'a Call,
    caller: Caller,
}

impl Room<'_> {
    /// Whether the caller may: by a role, or by an access policy of the vault.
    fn admit(&self, role_action: &str, permission: &str, name: &str) -> Result<(), Refusal> {
        let action = format!("Microsoft.KeyVault/vaults/secrets/{role_action}");
        self.azure.store.read(|world| {
            let Some(vault) = Vault::resource(world, self.vault) else { return Ok(()) };
            let scope = format!("{}/secrets/{name}", vault.id().to_ascii_lowercase());
            let by_roles = at(&vault.body, "/properties/enableRbacAuthorization") == &json!(true);
            let Caller { appid, oid, iss, .. } = &self.caller;
            if by_roles {
                if role::allows(world, oid, Right::Data(&action), &scope) {
                    return Ok(());
                }
                let place = vault.text("/location");
                let name = self.vault;
                let message = format!(
                    "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid={appid};oid={oid};iss={iss}\r\nAction: '{action}'\r\nResource: '{scope}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {name};location={place}\r\n"
                );
                return Err(Refusal::new(403, "Forbidden", message).inner("ForbiddenByRbac"));
            }
            let policies = at(&vault.body, "/properties/accessPolicies").as_array();
            let allowed = policies.into_iter().flatten().any(|policy| {
                at(policy, "/objectId").as_str().is_some_and(|id| id.eq_ignore_ascii_case(oid))
                    && at(policy, "/permissions/secrets").as_array().is_some_and(|granted| {
                        let fits = |p: &str| p.eq_ignore_ascii_case("all") || p.eq_ignore_ascii_case(permission);
                        granted.iter().filter_map(Value::as_str).any(fits)
                    })
            });
            if allowed {
                return Ok(());
            }
            let message = format!(
                "The user, group or application 'appid={appid};oid={oid};iss={iss}' does not have secrets {permission} permission on key vault '{};location={}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                self.vault, vault.text("/location")
            );
            Err(Refusal::new(403, "Forbidden", message).inner("ForbiddenByPolicy"))
        })
    }

    fn shown<'w>(&self, world: &'w World) -> Shown<'w> {
        let properties =
            Vault::resource(world, self.vault).map(|vault| at(&vault.body, "/properties"));
        let days =
            properties.and_then(|p| at(p, "/softDeleteRetentionInDays").as_i64()).unwrap_or(90);
        let protected = properties.is_some_and(|p| at(p, "/enablePurgeProtection") == &json!(true));
        let level = match (protected, days) {
            (false, 90) => "Recoverable+Purgeable",
            (false, _) => "CustomizedRecoverable+Purgeable",
            (true, 90) => "Recoverable",
            (true, _) => "CustomizedRecoverable",
        };
        Shown { base: format!("https://{}", host::vault(self.vault)), days, level }
    }

    fn read<T>(
        &self,
        look: impl FnOnce(&Vault, &Shown<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.azure.store.read(|world| {
            let shown = self.shown(world);
            look(world.vaults.get(self.vault).unwrap_or(&Vault::default()), &shown)
        })
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vault, &Shown<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.azure.store.change(|world| {
            let Shown { base, days, level } = self.shown(world);
            let level = level.to_owned();
            let shown = Shown { base, days, level: &level };
            change(world.vaults.entry(self.vault.to_owned()).or_default(), &shown)
        })
    }

    fn set(&self, name: &str) -> Answered {
        self.admit("setSecret/action", "set", name)?;
        let written = self.call.segment(1);
        if !is_secret_name(written) {
            let message = format!("The request URI contains an invalid name: {written}");
            return Err(Refusal::bad("BadParameter", message));
        }
        let document = self.call.object()?;
        let Some(value) = document.get("value").and_then(Value::as_str) else {
            let message = "Property  has invalid value\r\n";
            return Err(Refusal::bad("BadParameter", message));
        };
        if value.len() > LARGEST_VALUE {
            let message =
                "The specified secret value is too large: at most 25600 characters are taken.";
            return Err(Refusal::bad("BadParameter", message));
        }
        let now = self.azure.clock().seconds();
        let mut version = Version {
            id: uuid::Uuid::new_v4().simple().to_string(),
            value: Hidden::new(value),
            content_type: None,
            enabled: true,
            nbf: None,
            exp: None,
            created: now,
            updated: now,
            tags: Map::new(),
        };
        describe(&mut version, &document)?;
        let soft_deleted = self.azure.faults.strikes(written, &Fault::SoftDeleted);
        self.change(|vault, shown| {
            if soft_deleted || vault.deleted.contains_key(name) {
                let message = format!(
                    "Secret {written} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged."
                );
                let refusal = Refusal::new(409, "Conflict", message);
                return Err(refusal.inner("ObjectIsDeletedButRecoverable"));
            }
            let mut answer = shown.version(written, &version);
            set(&mut answer, "value", json!(version.value.expose()));
            let secret = vault.secrets.entry(name.to_owned()).or_insert_with(|| Secret {
                name: written.to_owned(),
                versions: Vec::new(),
            });
            secret.versions.push(version);
            Ok(Answer::ok(answer))
        })
    }

    fn get(&self, name: &str, version: Option<&str>) -> Answered {
        self.admit("getSecret/action", "get", name)?;
        let now = self.azure.clock().seconds();
        self.read(|vault, shown| {
            let secret = vault.secrets.get(name).ok_or_else(|| self.missing())?;
            let found = match version {
                None => secret.current(),
                Some(id) => secret.version(id),
            };
            let found = found.ok_or_else(|| self.missing())?;
            let refused = match found {
                Version { enabled: false, .. } => Some(("a disabled", "SecretDisabled")),
                Version { nbf: Some(nbf), .. } if *nbf > now => {
                    Some(("a not yet valid", "SecretNotYetValid"))
                }
                // An expired secret can be read: Key Vault leaves it to who reads it.
                Version { .. } => None,
            };
            if let Some((state, code)) = refused {
                let message = format!("Operation get is not allowed on {state} secret.");
                return Err(Refusal::new(403, "Forbidden", message).inner(code));
            }
            let mut answer = shown.version(&secret.name, found);
            set(&mut answer, "value", json!(found.value.expose()));
            Ok(Answer::ok(answer))
        })
    }

    fn update(&self, name: &str, version: &str) -> Answered {
        self.admit("update/action", "set", name)?;
        let document = self.call.object()?;
        let now = self.azure.clock().seconds();
        self.change(|vault, shown| {
            let secret = vault.secrets.get_mut(name).ok_or_else(|| self.missing())?;
            let written = secret.name.clone();
            let at = secret.versions.iter_mut().find(|v| v.id == version);
            let at = at.ok_or_else(|| self.missing())?;
            let mut next = at.clone();
            describe(&mut next, &document)?;
            next.updated = now;
            *at = next;
            Ok(Answer::ok(shown.version(&written, at)))
        })
    }

    fn list(&self) -> Answered {
        self.admit("readMetadata/action", "list", "")?;
        self.read(|vault, shown| {
            let all = vault.secrets.values().filter_map(|s| Some((s.name.clone(), shown.item(s)?)));
            self.page(all, "secrets")
        })
    }

    fn versions(&self, name: &str) -> Answered {
        self.admit("readMetadata/action", "list", name)?;
        self.read(|vault, shown| {
            let secret = vault.secrets.get(name).ok_or_else(|| self.missing())?;
            let all =
                secret.versions.iter().map(|v| (v.id.clone(), shown.version(&secret.name, v)));
            self.page(all, &format!("secrets/{}/versions", secret.name))
        })
    }

    fn deleted(&self) -> Answered {
        self.admit("readMetadata/action", "list", "")?;
        self.read(|vault, shown| {
            let all = vault.deleted.values().map(|d| (d.secret.name.clone(), shown.deleted(d)));
            self.page(all, "deletedsecrets")
        })
    }

    /// One page of a list; `$skiptoken` names the last entry of the page before.
    fn page(&self, all: impl Iterator<Item = (String, Value)>, path: &str) -> Answered {
        let wanted = self.call.query("maxresults").map_or(Ok(PAGE), str::parse);
        let size = wanted
            .ok()
            .filter(|size| (1..=PAGE).contains(size))
            .ok_or_else(|| Refusal::bad("BadParameter", "maxresults must be between 1 and 25"))?;
        let after = self.call.query("$skiptoken");
        let mut rest: Vec<_> = match after {
            None => all.collect(),
            Some(after) => all.skip_while(|(key, _)| key != after).skip(1).collect(),
        };
        let has_more = rest.len() > size;
        rest.truncate(size);
        let last = rest.last().map(|(key, _)| key.clone()).filter(|_| has_more);
        let version = self.call.query("api-version").unwrap_or_default();
        let next = last.map(|last| {
            let path = format!("/{path}?api-version={version}&$skiptoken={last}&maxresults={size}");
            self.call.origin.url(&host::vault(self.vault), &path)
        });
        let values: Vec<Value> = rest.into_iter().map(|(_, value)| value).collect();
        Ok(Answer::ok(json!({ "value": values, "nextLink": next })))
    }

    fn delete(&self, name: &str) -> Answered {
        self.admit("delete", "delete", name)?;
        let now = self.azure.clock().seconds();
        self.change(|vault, shown| {
            let secret = vault.secrets.remove(name).ok_or_else(|| self.missing())?;
            let deleted = Deleted { secret, at: now, purge: now + shown.days * DAY };
            let answer = shown.deleted(&deleted);
            vault.deleted.insert(name.to_owned(), deleted);
            Ok(Answer::ok(answer))
        })
    }

    fn show_deleted(&self, name: &str) -> Answered {
        self.admit("readMetadata/action", "get", name)?;
        self.read(|vault, shown| {
            let deleted = vault.deleted.get(name).ok_or_else(|| self.not_deleted())?;
            Ok(Answer::ok(shown.deleted(deleted)))
        })
    }

    fn recover(&self, name: &str) -> Answered {
        self.admit("recover/action", "recover", name)?;
        self.change(|vault, shown| {
            let deleted = vault.deleted.remove(name).ok_or_else(|| self.not_deleted())?;
            let secret = deleted.secret;
            let answer = secret.current().map(|v| shown.version(&secret.name, v));
            vault.secrets.insert(name.to_owned(), secret);
            Ok(Answer::ok(answer.unwrap_or_default()))
        })
    }

    fn purge(&self, name: &str) -> Answered {
        self.admit("purge/action", "purge", name)?;
        self.change(|vault, shown| {
            if !shown.level.contains("Purgeable") {
                let message = "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.";
                return Err(Refusal::new(403, "Forbidden", message).inner("ForbiddenByPurgeProtection"));
            }
            vault.deleted.remove(name).ok_or_else(|| self.not_deleted())?;
            Ok(Answer::empty(204))
        })
    }

    fn missing(&self) -> Refusal {
        let name = self.call.path.get(1..).unwrap_or_default().join("/");
        let name = name.trim_end_matches("/versions");
        let message = format!(
            "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
        );
        Refusal::new(404, "SecretNotFound", message)
    }

    fn not_deleted(&self) -> Refusal {
        let message = format!("Deleted Secret not found: {}", self.call.segment(1));
        Refusal::new(404, "SecretNotFound", message)
    }
}
