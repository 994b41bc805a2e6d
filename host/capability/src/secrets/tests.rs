use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;
use crate::{
    GrantText,
    recorder::{TestRun, TestRunBuilder},
};

const VALUE: &str = "hunter2-and-more";

fn grant(use_: &[&str], reveal: &[&str], write: &[&str]) -> GrantText {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    GrantText {
        secrets_use: owned(use_),
        secrets_reveal: owned(reveal),
        secrets_write: owned(write),
        ..GrantText::default()
    }
}

fn store(folder: &Path) -> LocalStore {
    LocalStore::open(folder.join("secrets"), folder.join("key/identity"))
}

fn text(secret: &Secret) -> &str {
    secret.expose_text().unwrap()
}

/// Of every provider: a value is returned as it is; what is missing or empty is `unauthorized` with
/// what to do.
fn contract(provider: &dyn SecretProvider, put: impl Fn(&str, &str)) {
    put("there", VALUE);
    put("empty", "");
    put("lines", "a\nb");
    assert_eq!(text(&provider.read("there").unwrap()), VALUE);
    assert_eq!(text(&provider.read("lines").unwrap()), "a\nb");
    for name in ["empty", "missing"] {
        let Err(fault) = provider.read(name) else { panic!("{name} has a value") };
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Unauthorized, "unauthorized.secrets"));
        assert!(fault.help.is_some() && fault.message.contains(name), "{fault}");
    }
}

#[test]
fn every_provider_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract(&FileProvider::new(folder.path()), |name, value| {
        fs_err::write(folder.path().join(name), value).unwrap();
    });
    let store = store(folder.path());
    contract(&store, |name, value| store.set(name, &Secret::new(value)).unwrap());
    let variables = std::sync::Mutex::new(BTreeMap::new());
    let variables: &'static _ = Box::leak(Box::new(variables));
    let lookup = |name: &str| variables.lock().unwrap().get(name).cloned();
    contract(&EnvProvider::new(Arc::new(lookup)), |name, value| {
        variables.lock().unwrap().insert(name.to_owned(), OsString::from(value));
    });
}

#[test]
fn one_line_end_of_a_file_is_not_part_of_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let provider = FileProvider::new(folder.path());
    for (written, read) in
        [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a ", "a "), ("\na", "\na")]
    {
        fs_err::write(folder.path().join("s"), written).unwrap();
        assert_eq!(text(&provider.read("s").unwrap()), read);
    }
    fs_err::write(folder.path().join("s"), "\n").unwrap();
    assert!(provider.read("s").is_err());
    fs_err::File::create(folder.path().join("big")).unwrap().set_len(70_000).unwrap();
    assert!(provider.read("big").is_err());
    assert!(provider.read(".").is_err());
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_noticed() {
    use std::os::unix::fs::PermissionsExt as _;

    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(!is_readable_by_others(file.path()));
    fs_err::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(is_readable_by_others(file.path()));
    assert!(!is_readable_by_others(Path::new("/nowhere/at/all")));
}

#[test]
fn the_local_store_sets_gets_lists_and_removes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    assert!(store.list().unwrap().is_empty());
    assert!(store.get("a").unwrap().is_none());
    assert!(!store.remove("a").unwrap());
    store.set("b", &Secret::new("one")).unwrap();
    store.set("a.x", &Secret::new(vec![0, 255, 10])).unwrap();
    store.set("b", &Secret::new("two")).unwrap();
    assert_eq!(store.list().unwrap(), ["a.x", "b"]);
    assert_eq!(text(&store.get("b").unwrap().unwrap()), "two");
    assert_eq!(store.get("a.x").unwrap().unwrap().expose(), [0, 255, 10]);
    assert!(store.remove("b").unwrap());
    assert!(store.get("b").unwrap().is_none());
    let files = fs_err::read_dir(store.directory()).unwrap().count();
    assert_eq!(files, 1, "no temporary file is left");
}

#[test]
fn what_is_on_disk_is_age_and_never_the_value() {
    let folder = tempfile::tempdir().unwrap();
    store(folder.path()).set("a", &Secret::new(VALUE)).unwrap();
    let bytes = fs_err::read(folder.path().join("secrets/a.age")).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> X25519 "));
    assert!(!bytes.windows(VALUE.len()).any(|window| window == VALUE.as_bytes()));
    let identity = fs_err::read_to_string(folder.path().join("key/identity")).unwrap();
    let lines: Vec<&str> = identity.lines().collect();
    assert!(lines[0].starts_with("# public key: age1"), "as age-keygen writes it");
    assert!(lines[1].starts_with("AGE-SECRET-KEY-1"));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_store() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    store(folder.path()).set("a", &Secret::new(VALUE)).unwrap();
    let mode = |path: &str| {
        fs_err::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        [mode("secrets"), mode("key"), mode("key/identity"), mode("secrets/a.age")],
        [0o700, 0o700, 0o600, 0o600]
    );
}

#[test]
fn names_that_could_be_paths_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for name in ["", "../a", "a/b", "/a", ".hidden", "-x", "a b", "ä", &"a".repeat(200)] {
        for fault in [
            store.set(name, &Secret::new("x")).unwrap_err(),
            store.get(name).err().unwrap(),
            store.remove(name).unwrap_err(),
        ] {
            assert_eq!(fault.code, "invalid.secrets", "{name}");
        }
    }
    assert!(store.set("big", &Secret::new(vec![b'x'; 65 * 1024])).is_err());
}

#[test]
fn a_damaged_file_or_another_identity_is_unauthorized_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for name in ["cut", "flipped", "foreign", "empty"] {
        store.set(name, &Secret::new(VALUE)).unwrap();
    }
    let path = |name: &str| folder.path().join(format!("secrets/{name}.age"));
    let whole = fs_err::read(path("cut")).unwrap();
    fs_err::write(path("cut"), &whole[..whole.len() - 5]).unwrap();
    let mut flipped = fs_err::read(path("flipped")).unwrap();
    *flipped.last_mut().unwrap() ^= 1;
    fs_err::write(path("flipped"), flipped).unwrap();
    fs_err::write(path("empty"), "").unwrap();
    let check = |store: &LocalStore, name: &str, help: &str| {
        let fault = store.get(name).err().unwrap();
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Unauthorized, "unauthorized.secrets"));
        assert!(fault.help.as_ref().unwrap().contains(help), "{name}: {fault:?}");
        assert!(!format!("{fault:?}").contains(VALUE));
    };
    check(&store, "cut", "windlass secret set cut");
    check(&store, "flipped", "windlass secret set flipped");
    check(&store, "empty", "windlass secret set empty");
    let other = LocalStore::open(store.directory(), folder.path().join("other"));
    check(&other, "foreign", "backup");
    other.set("mine", &Secret::new("x")).unwrap();
    check(&other, "foreign", "the identity it was made with");
    fs_err::write(folder.path().join("other"), "not a key").unwrap();
    check(&other, "mine", "put the identity back");
    assert!(other.set("mine", &Secret::new("y")).is_err(), "a broken identity is not replaced");
    assert_eq!(other.list().unwrap().len(), 5, "listing decrypts nothing");
}

#[test]
fn of_many_who_make_the_identity_at_once_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for index in 0..8 {
            let store = store(folder.path());
            scope.spawn(move || store.set(&format!("s{index}"), &Secret::new(VALUE)).unwrap());
        }
    });
    let store = store(folder.path());
    for name in store.list().unwrap() {
        assert_eq!(text(&store.get(&name).unwrap().unwrap()), VALUE);
    }
    assert_eq!(store.list().unwrap().len(), 8);
}

#[tokio::test]
async fn a_granted_secret_is_a_handle_that_shows_nothing() {
    let run = TestRunBuilder::default().secret("token", VALUE, &["r.example"]).build();
    let secrets = run.call(&grant(&["token"], &[], &[])).secrets;
    let handle = secrets.get("token").await.unwrap();
    assert_eq!((handle.name(), format!("{handle:?}").as_str()), ("token", "SecretHandle(token)"));
    assert_eq!(run.backends.secrets.mask().apply(VALUE), "***");
    assert_eq!(run.recorder.ledger(), ["secrets get token: ok"]);
}

#[tokio::test]
async fn a_secret_that_is_not_granted_is_never_read() {
    let run = TestRunBuilder::default().secret("token", VALUE, &[]).build();
    let secrets = run.call(&grant(&["other"], &["token"], &["token"])).secrets;
    let fault = secrets.get("token").await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Denied, "denied.secrets"));
    assert!(fault.help.unwrap().contains("\"token\" in the list of `secrets.use`"));
    assert_eq!(run.backends.secrets.mask().apply(VALUE), VALUE, "nobody has read it");
}

#[tokio::test]
async fn an_unknown_secret_says_what_is_meant() {
    let run = TestRunBuilder::default().secret("pull-pwd", VALUE, &[]).build();
    let secrets = run.call(&grant(&["*"], &[], &[])).secrets;
    let fault = secrets.get("pull-pdw").await.unwrap_err();
    assert_eq!(fault.kind, Kind::Unauthorized);
    assert_eq!(fault.help.unwrap(), "did you mean `pull-pwd`?");
    let fault = secrets.get("zebra").await.unwrap_err();
    assert!(fault.help.unwrap().contains("[secrets] zebra ="));
}

#[tokio::test]
async fn a_provider_is_asked_once_in_a_run() {
    struct Counting(AtomicUsize);
    impl SecretProvider for Counting {
        fn read(&self, _name: &str) -> Result<Secret, Fault> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(unavailable("not yet".to_owned())),
                _ => Ok(Secret::new(VALUE)),
            }
        }
    }
    let counting = Arc::new(Counting(AtomicUsize::new(0)));
    let folder = tempfile::tempdir().unwrap();
    let providers = SecretProviders {
        identities: Identities::default(),
        env: Arc::clone(&counting) as _,
        file: Arc::new(FileProvider::new(folder.path())),
        store: store(folder.path()),
    };
    let source = SecretSource::Env { name: "X".to_owned() };
    let declared = BTreeMap::from([("x".to_owned(), SecretText { source, only_to: Vec::new() })]);
    let secrets = Secrets::new(&declared, providers, Mask::new()).unwrap();
    assert!(secrets.resolve("x").await.is_err(), "a failure is not remembered");
    let reads = (0..8).map(|_| secrets.resolve("x"));
    assert!(futures::future::join_all(reads).await.iter().all(Result::is_ok));
    assert_eq!(counting.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_is_piped_in_is_there_once_it_was_given_and_until_then_it_is_said() {
    let run = TestRunBuilder::default().declare("piped", SecretSource::Stdin, &[]).build();
    let secrets = &run.backends.secrets;
    assert_eq!(secrets.from_stdin(), Some("piped"));
    secrets.learn().await;
    // As in a run that a trigger has started.
    let fault = run.call(&grant(&["*"], &[], &[])).secrets.get("piped").await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Unauthorized, "unauthorized.secrets"));
    assert!(fault.message.contains("`windlass run` alone reads"), "{fault:?}");
    assert!(secrets.give("other", Secret::new(VALUE)).await.is_err());
    secrets.give("piped", Secret::new(VALUE)).await.unwrap();
    let handle = run.call(&grant(&["*"], &[], &[])).secrets.get("piped").await.unwrap();
    assert_eq!(text(handle.value()), VALUE);
    assert!(!secrets.mask().apply(VALUE).contains(VALUE));
}

#[tokio::test]
async fn an_only_to_that_is_no_host_is_refused_before_anything_runs() {
    for (host, help) in [
        ("https://r.example/v2", "write `r.example`"),
        ("*", "*.example.com"),
        ("a@b", "write `a`"),
    ] {
        let source = SecretSource::Env { name: "X".to_owned() };
        let text = SecretText { source, only_to: vec![host.to_owned()] };
        let fault = parse_only_to(&text.only_to).unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Invalid, "invalid.secrets"));
        assert!(fault.help.unwrap().contains(help), "{host}");
    }
}

#[tokio::test]
async fn revealing_needs_a_grant_of_its_own_and_is_recorded() {
    let run =
        TestRunBuilder::default().secret("a", VALUE, &[]).secret("b", "other-value", &[]).build();
    let secrets = run.call(&grant(&["*"], &["a"], &[])).secrets;
    let (a, b) = (secrets.get("a").await.unwrap(), secrets.get("b").await.unwrap());
    assert_eq!(text(&secrets.reveal(&a).unwrap()), VALUE);
    let fault = secrets.reveal(&b).err().unwrap();
    assert_eq!(fault.code, "denied.secrets");
    let ledger = run.recorder.ledger();
    assert_eq!(ledger[2..], ["secrets reveal a: ok", "secrets reveal b: denied.secrets"]);
    let made = secrets.generate(16, Alphabet::Hex).unwrap();
    assert!(secrets.reveal(&made).is_err(), "a generated one is no exception");
}

#[tokio::test]
async fn generated_secrets_have_their_length_and_alphabet_and_are_masked() {
    let run = TestRun::new();
    let secrets = run.call(&GrantText::default()).secrets;
    let mut seen = BTreeSet::new();
    for (alphabet, fits) in [
        (Alphabet::Alphanumeric, (|c| c.is_ascii_alphanumeric()) as fn(char) -> bool),
        (Alphabet::Hex, |c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
        (Alphabet::Printable, |c| c.is_ascii_graphic() && !"'\"`\\".contains(c)),
    ] {
        for length in [8, 1024] {
            let handle = secrets.generate(length, alphabet).unwrap();
            assert_eq!(handle.name(), "generated");
            let value = text(handle.value()).to_owned();
            assert!(value.len() == length as usize && value.chars().all(fits), "{alphabet:?}");
            assert_eq!(run.backends.secrets.mask().apply(&value), "***");
            assert!(seen.insert(value));
        }
        assert_eq!(
            alphabet.characters().iter().collect::<BTreeSet<_>>().len(),
            alphabet.characters().len()
        );
    }
    assert_eq!(Alphabet::Printable.characters().len(), 94 - 4);
    for length in [0, 7, 1025] {
        assert_eq!(secrets.generate(length, Alphabet::Hex).unwrap_err().code, "invalid.secrets");
    }
}

#[tokio::test]
async fn a_secret_that_was_put_is_what_the_run_reads_from_then_on() {
    let source = SecretSource::Store { name: "stored".to_owned() };
    let run = TestRunBuilder::default().declare("mine", source, &[]).build();
    let secrets = run.call(&grant(&["mine"], &["mine"], &["stored"])).secrets;
    assert_eq!(secrets.get("mine").await.unwrap_err().kind, Kind::Unauthorized);
    for _ in 0..2 {
        let made = secrets.generate(32, Alphabet::Hex).unwrap();
        secrets.put("stored", &made).await.unwrap();
        let read = secrets.get("mine").await.unwrap();
        assert_eq!(read.value().expose(), made.value().expose());
    }
    let fault = secrets.put("other", &secrets.get("mine").await.unwrap()).await.unwrap_err();
    assert_eq!(fault.code, "denied.secrets");
    let fault = secrets.put("../x", &secrets.get("mine").await.unwrap()).await.unwrap_err();
    assert_eq!(fault.code, "invalid.secrets");
}

#[tokio::test]
async fn a_bound_secret_cannot_be_laundered_through_the_store() {
    let run = TestRunBuilder::default().secret("bound", VALUE, &["r.example"]).build();
    let secrets = run.call(&grant(&["bound"], &[], &["*"])).secrets;
    let bound = secrets.get("bound").await.unwrap();
    let fault = secrets.put("free", &bound).await.unwrap_err();
    assert_eq!(fault.code, "denied.secrets");
    assert_eq!(fault.message, "the secret `bound` may not go to the local store");
    assert!(!run.folder.path().join("secrets").exists());
}

#[tokio::test]
async fn a_dry_run_stores_nothing() {
    let run = TestRun::new();
    let secrets = run.dry_call(&grant(&[], &[], &["*"])).secrets;
    let made = secrets.generate(8, Alphabet::Hex).unwrap();
    assert_eq!(secrets.put("a", &made).await.unwrap_err().code, "denied.dry-run");
    assert!(!run.folder.path().join("secrets").exists());
}

#[tokio::test]
async fn a_placeholder_stands_for_a_bound_secret_only() {
    let run = TestRunBuilder::default()
        .secret("bound", VALUE, &["r.example"])
        .secret("free", "x-y-z-0", &[])
        .build();
    let secrets = run.call(&grant(&["*"], &[], &[])).secrets;
    let bound = secrets.get("bound").await.unwrap();
    let (one, two) = (secrets.placeholder(&bound).unwrap(), secrets.placeholder(&bound).unwrap());
    assert!(one != two && one.starts_with("windlass-secret-") && !one.contains(VALUE));
    let free = secrets.get("free").await.unwrap();
    let fault = secrets.placeholder(&free).unwrap_err();
    assert_eq!(fault.code, "denied.secrets");
    assert!(fault.help.unwrap().contains("only-to = ["));
}

#[test]
fn placeholders_are_filled_for_their_hosts_alone() {
    let placeholders = Placeholders::default();
    let only_to = parse_only_to(&["r.example".to_owned()]).unwrap();
    let word = placeholders.add(SecretHandle::new("s", only_to, Secret::new(VALUE)));
    let fill = |text: &str, host: &str| {
        let filled = placeholders.fill(text.as_bytes(), &url::Host::Domain(host), 443);
        filled.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    };
    let bearer = format!("Bearer {word}, {word}");
    assert_eq!(fill(&bearer, "r.example").unwrap(), format!("Bearer {VALUE}, {VALUE}"));
    assert_eq!(fill(&bearer, "evil.example"), None);
    assert_eq!(fill("Bearer windlass-secret-", "r.example"), None);
    assert_eq!(
        fill(&format!("windlass-secret-{word}"), "r.example").unwrap(),
        format!("windlass-secret-{VALUE}")
    );
    let encode = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let basic = format!("Basic {}", encode(&format!("me:{word}")));
    assert_eq!(
        fill(&basic, "r.example").unwrap(),
        format!("Basic {}", encode(&format!("me:{VALUE}")))
    );
    assert_eq!(fill(&basic, "evil.example"), None);
    assert!(placeholders.is_in(basic.as_bytes()) && placeholders.is_in(bearer.as_bytes()));
    assert!(!placeholders.is_in(b"Basic !!!") && !placeholders.is_in(b""));
}
