//! Responses with secrets: what a plugin does not see of them.

use report::{Fault, Kind, Secret, Side};
use serde_json::Value;

use super::{GrantedHttp, Request, Response, message::invalid};
use crate::secrets::SecretHandle;

/// Values of one response that are kept: an answer with a credential has one or two.
const MOST_POINTERS: usize = 16;

/// The name of a secret that came in a response.
const NAME: &str = "response";

/// A response of which some values stay here.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is left of it.
    pub response: Response,
    /// The values, in the order of the pointers; none where the status was no 2xx.
    pub secrets: Vec<SecretHandle>,
}

impl GrantedHttp {
    /// As [`Self::send`], but the strings at `pointers` of a JSON body (RFC 6901) stay here: `null`
    /// stands in their place.
    ///
    /// # Errors
    /// As [`Self::send`]; `invalid.http` for none or too many pointers; `failed.http` if a response of
    /// 2xx is no JSON, or has no string there: nobody knows then what a plugin would be shown.
    pub async fn send_keeping(&self, request: Request, pointers: &[String]) -> Result<Kept, Fault> {
        let voice = &self.gate.call.voice;
        if pointers.is_empty() || pointers.len() > MOST_POINTERS {
            let message = format!("1 to {MOST_POINTERS} values of a response can be kept");
            return Err(voice.masked(invalid(message)));
        }
        let response = self.send(request).await?;
        if !(200..=299).contains(&response.status) {
            return Ok(Kept { response, secrets: Vec::new() });
        }
        let kept = keep(response, pointers).map_err(|fault| voice.masked(fault))?;
        for secret in &kept.secrets {
            voice.learn(secret.value());
        }
        Ok(kept)
    }
}

fn keep(mut response: Response, pointers: &[String]) -> Result<Kept, Fault> {
    let failed = |what: String| {
        let message = format!("the response of {} {what}", response.url);
        Fault::new(Kind::Failed, message).code("failed.http").side(Side::Remote)
    };
    let mut body: Value = serde_json::from_slice(&response.body)
        .map_err(|_| failed("is no JSON, and a value of it is a secret".to_owned()))?;
    let mut secrets = Vec::new();
    for pointer in pointers {
        let value = body.pointer_mut(pointer).map(Value::take);
        let Some(Value::String(text)) = value else {
            return Err(failed(format!("has no text at `{pointer}`")));
        };
        secrets.push(SecretHandle::new(NAME, Vec::new(), Secret::new(text.into_bytes())));
    }
    response.body = body.to_string().into_bytes();
    Ok(Kept { response, secrets })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &str, pointers: &[&str]) -> Result<Kept, Fault> {
        let response = Response {
            status: 200,
            url: "https://vault.example/secrets/a".to_owned(),
            headers: Vec::new(),
            body: body.into(),
        };
        let pointers: Vec<String> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        keep(response, &pointers)
    }

    #[test]
    fn a_value_stays_and_null_stands_in_its_place() {
        let kept = kept(r#"{"value":"s3cret","id":"a","in":[{"b":"x"}]}"#, &["/value", "/in/0/b"]);
        let Kept { response, secrets } = kept.unwrap();
        assert_eq!(response.body, br#"{"value":null,"id":"a","in":[{"b":null}]}"#);
        let values: Vec<&[u8]> = secrets.iter().map(|secret| secret.value().expose()).collect();
        assert_eq!(values, [b"s3cret".as_slice(), b"x"]);
    }

    #[test]
    fn where_nothing_can_be_kept_nothing_is_shown() {
        for (body, pointer) in [
            ("s3cret", "/value"),
            (r#"{"value":"s3cret"}"#, "/other"),
            (r#"{"value":{"a":"s3cret"}}"#, "/value"),
            (r#"{"value":"s3cret"}"#, "value"),
        ] {
            let fault = kept(body, &[pointer]).unwrap_err();
            assert_eq!(fault.code, "failed.http");
            assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
        }
    }
}
