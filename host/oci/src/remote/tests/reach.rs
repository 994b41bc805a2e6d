//! Where a registry may be, and where it may send us.

use super::*;
use crate::{Remote, RemoteOptions};

/// Refuses every name, and counts how often it was asked.
struct Refusing(AtomicUsize);

impl reqwest::dns::Resolve for Refusing {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        self.0.fetch_add(1, Ordering::SeqCst);
        let refused = Fault::new(Kind::Denied, format!("{} is refused", name.as_str()));
        Box::pin(async { Err(refused.into()) })
    }
}

#[tokio::test]
async fn a_name_that_is_refused_is_denied_and_not_asked_again() {
    let resolver = Arc::new(Refusing(AtomicUsize::new(0)));
    let options = crate::client::ClientOptions {
        resolver: Some(Arc::clone(&resolver) as _),
        ..crate::client::ClientOptions::default()
    };
    let http = crate::client::build(&options).unwrap();
    let remote = Remote::new(http, Arc::new(Anonymous), RemoteOptions::default());
    let store = remote.repository(&"registry.example/a".parse().unwrap()).unwrap();
    let bytes = content(1, 10);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    for error in [
        store.resolve(&latest()).await.unwrap_err(),
        store.push_blob(&blob, &bytes, None).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Denied, "{error}");
        assert!(!error.is_transient());
        assert_eq!(error.to_string(), "registry.example is refused");
    }
    assert_eq!(resolver.0.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_address_that_is_refused_is_not_gone_to() {
    fn check(address: std::net::IpAddr) -> Result<(), Fault> {
        match address.is_loopback() {
            true => Err(Fault::new(Kind::Denied, format!("{address} is refused"))),
            false => Ok(()),
        }
    }
    let elsewhere = Server::hostile(|_| answer(200, &[], "{}")).await;
    let target = format!("http://{}/cdn", elsewhere.host);
    let server = Server::hostile(move |request| match request.uri().path() {
        "/v2/upload/blobs/uploads/" => answer(202, &[("location", target.as_str())], ""),
        "/v2/token/manifests/latest" => {
            let challenge = format!("Bearer realm=\"{target}\"");
            answer(401, &[("www-authenticate", challenge.as_str())], "")
        }
        "/v2/here/manifests/latest" => answer(307, &[("location", "/there")], ""),
        "/there" => answer(404, &[], ""),
        _ => answer(307, &[("location", target.as_str())], ""),
    })
    .await;
    let options = RemoteOptions { check_address: Some(check), ..RemoteOptions::default() };
    let http = crate::client::build(&crate::client::ClientOptions::default()).unwrap();
    let remote = Remote::new(http, Arc::new(Anonymous), options);
    let store = |name: &str| {
        remote.repository(&format!("{}/{name}", server.host).parse().unwrap()).unwrap()
    };
    let bytes = content(1, 10);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    assert_eq!(store("here").resolve(&latest()).await.unwrap(), None);
    for error in [
        store("moved").resolve(&latest()).await.unwrap_err(),
        store("moved").blob(&blob).await.unwrap_err(),
        store("upload").push_blob(&blob, &bytes, None).await.unwrap_err(),
        store("token").resolve(&latest()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Denied, "{error}");
        assert_eq!(error.to_string(), "127.0.0.1 is refused");
    }
    assert_eq!(elsewhere.log.count(), "");
}

#[tokio::test]
async fn loopback_speaks_tls_if_it_is_told_to() {
    let options = |tls: bool| RemoteOptions {
        tls: tls.then(|| "localhost:5000".to_owned()).into_iter().collect(),
        ..RemoteOptions::default()
    };
    for (tls, scheme) in [(true, "https"), (false, "http")] {
        let http = crate::client::build(&crate::client::ClientOptions::default()).unwrap();
        let remote = Remote::new(http, Arc::new(Anonymous), options(tls));
        let store = remote.repository(&"localhost:5000/a".parse().unwrap()).unwrap();
        assert_eq!(store.host.base.scheme(), scheme);
    }
}
