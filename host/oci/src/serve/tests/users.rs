//! Who may come in, and over what.

use std::sync::Arc;

use base64::Engine as _;
use tempfile::TempDir;

use super::super::{SetupError, Tls, Users};
use crate::testing::Server;
use crate::{MemoryRegistry, ServeOptions, client};

/// The cheapest that there is: tests need no slow hashes.
const COST: u32 = 4;

fn hash(password: &str) -> String {
    bcrypt::hash(password, COST).unwrap()
}

struct Guarded {
    server: Server,
    http: reqwest::Client,
    directory: TempDir,
}

impl Guarded {
    async fn new(lines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("users"), lines).unwrap();
        let users = Users::open(directory.path().join("users")).unwrap();
        let options = ServeOptions { users: Some(Arc::new(users)), ..ServeOptions::default() };
        let server = Server::with(MemoryRegistry::new(), options).await;
        let http = client::build(&client::ClientOptions::default()).unwrap();
        Self { server, http, directory }
    }

    /// Written as others write it: a new file under the old name.
    fn replace(&self, lines: &str) {
        fs_err::write(self.directory.path().join("new"), lines).unwrap();
        fs_err::rename(self.directory.path().join("new"), self.directory.path().join("users"))
            .unwrap();
    }

    async fn ask(&self, path: &str, authorization: Option<&str>) -> reqwest::Response {
        let mut request = self.http.get(format!("http://{}{path}", self.server.host));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.send().await.unwrap()
    }

    async fn login(&self, name: &str, password: &str) -> u16 {
        let pair = format!("{name}:{password}");
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        self.ask("/v2/", Some(&format!("Basic {encoded}"))).await.status().as_u16()
    }
}

#[tokio::test]
async fn strangers_are_asked_who_they_are_whatever_they_want() {
    let guarded = Guarded::new(&format!("ann:{}\n", hash("secret"))).await;
    for path in ["/v2/", "/v2/a/tags/list", "/v2/A/manifests/x", "/", "/v2/_catalog"] {
        let refused = guarded.ask(path, None).await;
        assert_eq!(refused.status(), 401, "{path}");
        assert_eq!(
            refused.headers()["www-authenticate"],
            r#"Basic realm="windlass registry", charset="UTF-8""#
        );
        assert!(refused.text().await.unwrap().contains(r#""code":"UNAUTHORIZED""#));
    }
    for odd in
        ["Basic", "Basic !!", "Bearer x", "Basic YW5u", "", "Basic /w==", "basic OnNlY3JldA=="]
    {
        assert_eq!(guarded.ask("/v2/", Some(odd)).await.status(), 401, "{odd}");
    }
    let put = guarded.http.post(format!("http://{}/v2/a/blobs/uploads/", guarded.server.host));
    assert_eq!(put.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn users_come_in_with_their_own_password() {
    let lines = format!("# people\n\nann:{}\nbob:{}\r\n", hash("one"), hash("two:with:colons"));
    let guarded = Guarded::new(&lines).await;
    // Twice: the second time the password is known already.
    for _ in 0..2 {
        assert_eq!(guarded.login("ann", "one").await, 200);
        assert_eq!(guarded.login("bob", "two:with:colons").await, 200);
        for (name, password) in [
            ("ann", "two"),
            ("ann", ""),
            ("bob", "one"),
            ("eve", "one"),
            ("", "one"),
            ("ann", "one\0"),
        ] {
            assert_eq!(guarded.login(name, password).await, 401, "{name}:{password}");
        }
    }
}

#[tokio::test]
async fn a_file_that_changes_is_read_again_and_one_that_breaks_locks_nobody_out() {
    let guarded = Guarded::new(&format!("ann:{}", hash("one"))).await;
    assert_eq!(guarded.login("ann", "one").await, 200);
    guarded.replace(&format!("ann:{}\nbob:{}", hash("new"), hash("two")));
    assert_eq!(guarded.login("ann", "one").await, 401, "what is remembered ends with the hash");
    assert_eq!(guarded.login("ann", "new").await, 200);
    assert_eq!(guarded.login("bob", "two").await, 200);
    guarded.replace("ann:nonsense");
    assert_eq!(guarded.login("bob", "two").await, 200);
    fs_err::remove_file(guarded.directory.path().join("users")).unwrap();
    assert_eq!(guarded.login("bob", "two").await, 200);
    guarded.replace(&format!("ann:{}", hash("new")));
    assert_eq!(guarded.login("bob", "two").await, 401);
    guarded.replace("");
    assert_eq!(guarded.login("ann", "new").await, 401);
}

#[tokio::test]
async fn guesses_are_a_few_at_a_time_and_known_users_do_not_wait_for_them() {
    let slow = bcrypt::hash("one", COST).unwrap();
    let guarded = Guarded::new(&format!("ann:{slow}")).await;
    assert_eq!(guarded.login("ann", "one").await, 200);
    let passwords: Vec<String> = (0..150).map(|number| number.to_string()).collect();
    let guesses = passwords.iter().map(|password| guarded.login("ann", password));
    let (statuses, known) =
        futures::join!(futures::future::join_all(guesses), guarded.login("ann", "one"));
    assert_eq!(known, 200);
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&401));
}

#[test]
fn a_line_that_is_no_user_is_told_with_its_number() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("users");
    let check = |lines: &str, expect: &str| {
        fs_err::write(&path, lines).unwrap();
        let error = Users::open(&path).err().unwrap();
        let expect = expect.replace("FILE", &path.display().to_string());
        assert_eq!(error.to_string(), expect);
    };
    check("ann", "line 1 of `FILE` is not a user: it has no colon");
    let no_bcrypt = "line 2 of `FILE` is not a user: its password is no bcrypt hash";
    check("#\nann:$apr1$x$y", no_bcrypt);
    check("#\nann:plain", no_bcrypt);
    let dear = hash("x").replace("$04$", "$20$");
    check(
        &format!("a:{dear}"),
        "line 1 of `FILE` is not a user: the cost of its hash is more than 15",
    );
    let missing = Users::open(directory.path().join("none")).err().unwrap();
    assert!(matches!(missing, SetupError::Unreadable(_)));
}

#[tokio::test]
async fn tls_is_spoken_with_the_certificate_that_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs_err::write(path("cert"), made.cert.pem()).unwrap();
    fs_err::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    fs_err::write(path("other"), other.signing_key.serialize_pem()).unwrap();
    fs_err::write(path("empty"), "").unwrap();
    for (certificate, key) in
        [("cert", "other"), ("cert", "empty"), ("empty", "key"), ("key", "key"), ("none", "key")]
    {
        assert!(Tls::open(&path(certificate), &path(key)).is_err(), "{certificate} {key}");
    }
    let tls = Tls::open(&path("cert"), &path("key")).unwrap();
    let options = ServeOptions { tls: Some(tls), ..ServeOptions::default() };
    let server = Server::with(MemoryRegistry::new(), options).await;
    let (_, port) = server.host.rsplit_once(':').unwrap();
    let ca = client::CaFile { path: path("cert"), only_for: None };
    let trusting = client::ClientOptions { ca_files: vec![ca], ..Default::default() };
    let http = client::build(&trusting).unwrap();
    let ping = http.get(format!("https://localhost:{port}/v2/")).send().await.unwrap();
    assert_eq!(ping.status(), 200);
    // Who speaks in clear is not understood, and disturbs nobody.
    assert!(http.get(format!("http://localhost:{port}/v2/")).send().await.is_err());
    let again = http.get(format!("https://localhost:{port}/v2/")).send().await.unwrap();
    assert_eq!(again.status(), 200);
}
