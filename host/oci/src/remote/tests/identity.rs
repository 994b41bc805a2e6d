//! Registries that know their clients by a certificate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::client::{CaFile, ClientOptions, Identity, build};
use crate::{Remote, RemoteOptions};

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(by: &Issuer, purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, by).unwrap(), key)
}

/// A client certificate in files.
fn identity(folder: &Path, name: &str, by: &Issuer) -> Identity {
    let (certificate, key) = signed(by, ExtendedKeyUsagePurpose::ClientAuth);
    let write = |ending: &str, text: String| -> PathBuf {
        let path = folder.join(format!("{name}.{ending}"));
        fs_err::write(&path, text).unwrap();
        path
    };
    Identity {
        certificates: write("pem", certificate.pem()),
        key: write("key", key.serialize_pem()),
    }
}

/// An empty registry on `localhost` that speaks with nobody whose certificate `issuer` has not
/// signed; the folder holds its `ca.pem`.
async fn strict(issuer: &Issuer, folder: &Path) -> (String, JoinSet<()>) {
    fs_err::write(folder.join("ca.pem"), issuer.pem()).unwrap();
    let (certificate, key) = signed(issuer, ExtendedKeyUsagePurpose::ServerAuth);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        Arc::clone(&provider),
    );
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(strict_connection(acceptor.clone(), stream));
        }
    });
    (host, tasks)
}

async fn strict_connection(acceptor: TlsAcceptor, stream: TcpStream) {
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => {
            let router = axum::Router::new().fallback(async || answer(404, &[], ""));
            let connection = hyper::server::conn::http1::Builder::new();
            let service = TowerToHyperService::new(router);
            drop(connection.serve_connection(TokioIo::new(stream), service).await);
        }
        Err((_, mut stream)) => {
            // What the client has sent meanwhile is read: a reset would overtake the alert.
            drop(stream.shutdown().await);
            drop(stream.read_to_end(&mut Vec::new()).await);
        }
    }
}

fn remote(host: &str, folder: &Path, identity: Option<(&str, Identity)>) -> Remote {
    let ca_files = vec![CaFile { path: folder.join("ca.pem"), only_for: None }];
    let options = ClientOptions { ca_files, ..ClientOptions::default() };
    let clients: BTreeMap<RegistryHost, _> = identity
        .map(|(host, identity)| {
            let options = ClientOptions { identity: Some(identity), ..options.clone() };
            (host.parse().unwrap(), build(&options).unwrap())
        })
        .into_iter()
        .collect();
    let options_of_remote =
        RemoteOptions { tls: [host.to_owned()].into(), clients, ..RemoteOptions::default() };
    Remote::new(build(&options).unwrap(), Arc::new(Anonymous), options_of_remote)
}

#[tokio::test]
async fn a_registry_that_wants_a_client_certificate_gets_its_own_and_no_other() {
    let (issuer, folder) = (authority("us"), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let (host, _server) = strict(&issuer, folder).await;
    let ask = async |identity: Option<(&str, Identity)>| {
        let reference = format!("{host}/a").parse().unwrap();
        let remote = remote(&host, folder, identity);
        remote.repository(&reference).unwrap().resolve(&latest()).await
    };
    let right = || identity(folder, "right", &issuer);
    assert_eq!(ask(Some((&host, right()))).await.unwrap(), None);

    let stranger = identity(folder, "stranger", &authority("them"));
    let pretender = identity(folder, "pretender", &authority("us"));
    for given in [
        None,
        // Meant for another port.
        Some(("localhost", right())),
        Some((host.as_str(), stranger)),
        Some((host.as_str(), pretender)),
    ] {
        let fault = Fault::from(ask(given).await.unwrap_err());
        assert_eq!((fault.kind, fault.retry), (Kind::Unauthorized, false), "{fault:?}");
        let end = "latest: the registry wants another client certificate, or one at all";
        assert!(fault.message.ends_with(end), "{fault}");
        let help = fault.help.unwrap();
        assert!(
            help.starts_with("set `cert = \"client.pem\"` and `key = \"client.key\"`"),
            "{help}"
        );
        assert!(help.contains(&format!("[registries.\"{host}\"]")), "{help}");
    }
}

#[test]
fn a_client_certificate_that_cannot_be_used_is_never_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = authority("us");
    let one = identity(folder.path(), "one", &issuer);
    let two = identity(folder.path(), "two", &issuer);
    let check = |certificates: &Path, key: &Path, expect: &str| {
        let identity = Identity { certificates: certificates.to_owned(), key: key.to_owned() };
        let options = ClientOptions { identity: Some(identity), ..ClientOptions::default() };
        let fault = Fault::from(build(&options).expect_err("a client was made"));
        assert_eq!(fault.kind, Kind::Invalid);
        assert!(fault.message.contains(expect), "{fault}");
        assert!(fault.help.unwrap().starts_with("name PEM files"));
    };
    let unreadable = "a file of the client certificate cannot be read";
    check(&folder.path().join("none"), &one.key, unreadable);
    check(&one.certificates, &folder.path().join("none"), unreadable);
    check(&one.key, &one.key, "it has no certificate");
    check(&one.certificates, &one.certificates, "it has no private key");
    check(&one.certificates, &two.key, "two.key` cannot be used for a client certificate");
    let options = ClientOptions { identity: Some(one), ..ClientOptions::default() };
    assert!(build(&options).is_ok());
}
