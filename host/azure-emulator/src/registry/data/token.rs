//! `/oauth2/exchange` and `/oauth2/token`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::auth::{Holder, Refresh, basic};
use super::scope::Scope;
use super::{Hall, errors, unauthorized};
use crate::answer::{Answer, Answered, Refusal};
use crate::call::Call;

/// How long refresh tokens count: three hours.
const REFRESH_LIFETIME: i64 = 3 * 3600;

/// How long access tokens count: 75 minutes.
const ACCESS_LIFETIME: i64 = 75 * 60;

/// Scopes of one token.
const MOST_SCOPES: usize = 100;

/// The claims of an access token.
#[derive(Serialize, Deserialize)]
pub(super) struct Access {
    pub(super) aud: String,
    pub(super) access: Vec<Scope>,
}

impl Hall<'_> {
    pub(super) fn token(&self, call: &Call) -> Answered {
        let (method, path) = call.route();
        match (method, path.as_slice()) {
            ("POST", ["oauth2", "exchange"]) => self.exchange(call),
            ("POST", ["oauth2", "token"]) => self.access_by_form(call),
            ("GET", ["oauth2", "token"]) => self.access_by_header(call),
            _ => {
                Err(Refusal::shaped(404, errors("NOT_FOUND", "there is no such page", Value::Null)))
            }
        }
    }

    fn check_service(&self, service: Option<&str>) -> Result<(), Refusal> {
        match service {
            Some(service) if service.eq_ignore_ascii_case(&self.server) => Ok(()),
            _ => Err(bad(&format!("the service has to be {}", self.server))),
        }
    }

    fn exchange(&self, call: &Call) -> Answered {
        let form = call.form();
        self.check_service(form.get("service"))?;
        let grant = form.get("grant_type").unwrap_or_default();
        if grant != "access_token" {
            return Err(bad(&format!("the grant type '{grant}' is not supported")));
        }
        let tenant = &self.azure.config.names.tenant;
        if form.get("tenant").is_some_and(|named| !named.eq_ignore_ascii_case(tenant)) {
            return Err(unauthorized(Value::Null));
        }
        let token = form.get("access_token").unwrap_or_default();
        let holder = Holder::of_entra_token(self.azure, &self.registry, token);
        let holder = holder.filter(|holder| holder.is_known(self.azure, &self.registry));
        let holder = holder.ok_or_else(|| unauthorized(Value::Null))?;
        Ok(Answer::ok(json!({ "refresh_token": self.refresh_token(holder)? })))
    }

    fn refresh_token(&self, holder: Holder) -> Result<String, Refusal> {
        let claims =
            Refresh { aud: self.server.clone(), grant_type: "refresh_token".to_owned(), holder };
        let mut claims = json!(claims);
        self.sign(&mut claims, REFRESH_LIFETIME)
    }

    fn sign(&self, claims: &mut Value, lifetime: i64) -> Result<String, Refusal> {
        let now = self.azure.clock().seconds();
        let common = json!({
            "jti": uuid::Uuid::new_v4().to_string(), "iss": "Azure Container Registry",
            "version": "1.0", "iat": now, "nbf": now, "exp": now + lifetime,
            "tenant": self.azure.config.names.tenant,
        });
        crate::json::as_object(claims).extend(common.as_object().cloned().unwrap_or_default());
        self.azure.keys.sign(claims)
    }

    fn access_by_form(&self, call: &Call) -> Answered {
        let form = call.form();
        self.check_service(form.get("service"))?;
        let text = |name: &str| form.get(name).unwrap_or_default();
        let holder = match text("grant_type") {
            "refresh_token" => {
                Holder::of_refresh_token(self.azure, &self.server, text("refresh_token"))
            }
            "password" => {
                Holder::of_login(self.azure, &self.registry, text("username"), text("password"))
            }
            grant => return Err(bad(&format!("the grant type '{grant}' is not supported"))),
        };
        let holder = holder.ok_or_else(|| unauthorized(Value::Null))?;
        let scopes: Vec<&str> = form.all("scope").flat_map(str::split_whitespace).collect();
        let token = self.access_token(&holder, &scopes)?;
        let mut answer = json!({ "access_token": token });
        if form.get("access_type") == Some("offline") {
            crate::json::set(&mut answer, "refresh_token", self.refresh_token(holder)?);
        }
        Ok(Answer::ok(answer))
    }

    /// As docker asks: `Basic`, scopes in the query.
    fn access_by_header(&self, call: &Call) -> Answered {
        self.check_service(call.query("service"))?;
        let (name, password) = match call.header("authorization") {
            Some(header) => basic(header).ok_or_else(|| unauthorized(Value::Null))?,
            None => (String::new(), report::Secret::new("")),
        };
        let password = password.expose_text().unwrap_or_default();
        let holder = Holder::of_login(self.azure, &self.registry, &name, password);
        let holder = holder.ok_or_else(|| unauthorized(Value::Null))?;
        let scopes: Vec<&str> = call.queries("scope").flat_map(str::split_whitespace).collect();
        Ok(Answer::ok(json!({ "access_token": self.access_token(&holder, &scopes)? })))
    }

    fn access_token(&self, holder: &Holder, scopes: &[&str]) -> Result<String, Refusal> {
        if scopes.len() > MOST_SCOPES {
            return Err(bad("there are too many scopes"));
        }
        let access = scopes
            .iter()
            .map(|text| {
                let scope = Scope::parse(text);
                let scope = scope.ok_or_else(|| bad(&format!("'{text}' is not a scope")))?;
                Ok(holder.granted(self.azure, &self.registry, &scope))
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        let access = access.into_iter().filter(|scope| !scope.actions.is_empty()).collect();
        let mut claims = json!(Access { aud: self.server.clone(), access });
        crate::json::set(&mut claims, "grant_type", "access_token");
        self.sign(&mut claims, ACCESS_LIFETIME)
    }
}

fn bad(message: &str) -> Refusal {
    Refusal::shaped(400, errors("BAD_REQUEST", message, Value::Null))
}
