use super::*;

fn certificate() -> String {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem()
}

fn problem(options: &ClientOptions) -> Fault {
    build(options).expect_err("a client was made").into()
}

fn with_ca(path: PathBuf) -> ClientOptions {
    let ca_files = vec![CaFile { path, only_for: None }];
    ClientOptions { ca_files, ..ClientOptions::default() }
}

#[test]
fn a_ca_file_that_cannot_be_used_is_never_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let fault = problem(&with_ca(path.clone()));
    assert_eq!((fault.kind, fault.message.as_str()), (Kind::Invalid, "the CA file cannot be read"));
    let useless = [
        String::new(),
        "hello".to_owned(),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
        format!("{}-----BEGIN CERTIFICATE-----\nnot base64!\n", certificate()),
    ];
    for text in useless {
        std::fs::File::create(&path)
            .and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes()))
            .unwrap();
        let fault = problem(&with_ca(path.clone()));
        let expect = format!("`{}` holds no usable certificate in PEM form", path.display());
        assert!(fault.message.starts_with(&expect), "{text}: {fault}");
    }
    fs_err::write(&path, certificate()).unwrap();
    assert!(build(&with_ca(path)).is_ok());
}

#[test]
fn a_proxy_is_a_url_and_is_not_shown() {
    let with = |https: &str| ClientOptions {
        proxy: ProxyOptions { https: Some(https.to_owned()), ..ProxyOptions::default() },
        ..ClientOptions::default()
    };
    for good in ["", "http://me:pw@proxy.example:3128", "proxy.example:3128"] {
        assert!(build(&with(good)).is_ok(), "{good}");
    }
    let fault = problem(&with("http://me:hunter2@:x"));
    assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
    assert_eq!(fault.kind, Kind::Invalid);
}
