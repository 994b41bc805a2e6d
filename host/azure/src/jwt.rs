//! What is read of a token that somebody else signed, and tokens that a certificate signs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

/// The moment at which `token` ends, in seconds since 1970, if it says so. Nothing is verified: the
/// service that takes the token does that.
pub(crate) fn expiry(token: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Value,
    }
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    // Some write a fraction.
    #[expect(clippy::cast_possible_truncation, reason = "a moment in whole seconds")]
    exp.as_i64().or_else(|| exp.as_f64().map(|exp| exp as i64))
}

/// Header and claims, ready to be signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// The claims with which an application says that it is `client`: for `audience`, from `now` on.
pub(crate) fn assertion(client: &str, audience: &str, now: i64, id: &str) -> Value {
    /// It is used at once; clocks differ by some minutes.
    const LIFE: i64 = 600;
    json!({
        "aud": audience,
        "iss": client,
        "sub": client,
        "jti": id,
        "nbf": now,
        "iat": now,
        "exp": now.saturating_add(LIFE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_read_if_it_is_there() {
        let token = |claims: &str| format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(expiry(&token(r#"{"exp":1795364718}"#)), Some(1_795_364_718));
        assert_eq!(expiry(&token(r#"{"exp":1795364718.9}"#)), Some(1_795_364_718));
        for none in ["", "a", "a.b", "a.!.c", &token("{}"), &token(r#"{"exp":"x"}"#), &token("[]")]
        {
            assert_eq!(expiry(none), None, "{none}");
        }
    }
}
