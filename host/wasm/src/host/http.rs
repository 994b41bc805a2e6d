//! `windlass:http`.

use capability::{
    Encoding, Header, HeaderValue, Kept, Part, Redirects, Request, Response, SecretHandle,
};
use wasmtime::component::Resource;

use super::{Answer, answer};
use crate::bindings::windlass::http::http as wit;
use crate::state::StepState;

impl wit::Host for StepState {
    async fn send(&mut self, request: wit::Request) -> Answer<wit::Response> {
        let request = self.request(request)?;
        let response = self.granted.http.send(request).await;
        answer(response.map(to_wit))
    }

    async fn send_keeping(
        &mut self,
        request: wit::Request,
        pointers: Vec<String>,
    ) -> Answer<Resource<Kept>> {
        let request = self.request(request)?;
        match self.granted.http.send_keeping(request, &pointers).await {
            Ok(kept) => answer(Ok(self.table.push(kept)?)),
            Err(fault) => answer(Err(fault)),
        }
    }
}

impl wit::HostKept for StepState {
    async fn response(&mut self, this: Resource<Kept>) -> wasmtime::Result<wit::Response> {
        Ok(to_wit(self.table.get(&this)?.response.clone()))
    }

    async fn secret(
        &mut self,
        this: Resource<Kept>,
        index: u32,
    ) -> wasmtime::Result<Option<Resource<SecretHandle>>> {
        let secret = self.table.get(&this)?.secrets.get(index as usize).cloned();
        secret.map(|secret| Ok(self.table.push(secret)?)).transpose()
    }

    async fn drop(&mut self, this: Resource<Kept>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn to_wit(response: Response) -> wit::Response {
    let headers = response.headers.into_iter();
    wit::Response {
        status: response.status,
        url: response.url,
        headers: headers.map(|(name, value)| wit::ReceivedHeader { name, value }).collect(),
        body: response.body,
    }
}

impl StepState {
    fn request(&self, request: wit::Request) -> wasmtime::Result<Request> {
        let wit::Request { method, url, headers, body, redirects, timeout_ms } = request;
        let headers = headers.into_iter().map(|wit::Header { name, value }| {
            let value = match value {
                wit::HeaderValue::Plain(text) => HeaderValue::Plain(text),
                wit::HeaderValue::Sealed(wit::Sealed { prefix, value, suffix }) => {
                    HeaderValue::Sealed { prefix, value: self.table.get(&value)?.clone(), suffix }
                }
                wit::HeaderValue::Basic(wit::Basic { username, password }) => {
                    HeaderValue::Basic { username, password: self.table.get(&password)?.clone() }
                }
            };
            wasmtime::Result::Ok(Header { name, value })
        });
        let body = body.into_iter().map(|part| {
            wasmtime::Result::Ok(match part {
                wit::Part::Bytes(bytes) => Part::Bytes(bytes),
                wit::Part::Sealed(wit::SealedPart { value, encoding }) => {
                    let encoding = match encoding {
                        wit::Encoding::Raw => Encoding::Raw,
                        wit::Encoding::Json => Encoding::Json,
                        wit::Encoding::Form => Encoding::Form,
                        wit::Encoding::Base64 => Encoding::Base64,
                    };
                    Part::Sealed { value: self.table.get(&value)?.clone(), encoding }
                }
            })
        });
        Ok(Request {
            method,
            url,
            headers: headers.collect::<wasmtime::Result<_>>()?,
            body: body.collect::<wasmtime::Result<_>>()?,
            redirects: match redirects {
                wit::Redirects::ReturnThem => Redirects::ReturnThem,
                wit::Redirects::Follow => Redirects::Follow,
            },
            timeout_ms,
        })
    }
}
