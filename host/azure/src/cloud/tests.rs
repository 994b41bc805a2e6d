use super::*;

fn public() -> Cloud {
    Cloud::new(CloudName::Public, &Endpoints::default()).unwrap()
}

fn of(cloud: &Cloud, url: &str) -> Option<Audience> {
    cloud.audience_of(&Url::parse(url).unwrap())
}

fn emulator(endpoints: &[(&str, &str)]) -> Result<Cloud, CloudError> {
    let own = |key: &str| {
        endpoints.iter().find(|(name, _)| *name == key).map(|(_, text)| (*text).to_owned())
    };
    let endpoints = Endpoints {
        login: own("login"),
        arm: own("arm"),
        arm_audience: own("arm-audience"),
        graph: own("graph"),
        vault: own("vault"),
        vault_suffix: own("vault-suffix"),
        registry: own("registry"),
        registry_suffix: own("registry-suffix"),
    };
    Cloud::new(CloudName::Public, &endpoints)
}

#[test]
fn every_cloud_knows_its_own_hosts_and_no_other_s() {
    let hosts = [
        ("management.azure.com", "graph.microsoft.com", ".vault.azure.net", ".azurecr.io"),
        (
            "management.chinacloudapi.cn",
            "microsoftgraph.chinacloudapi.cn",
            ".vault.azure.cn",
            ".azurecr.cn",
        ),
        (
            "management.usgovcloudapi.net",
            "graph.microsoft.us",
            ".vault.usgovcloudapi.net",
            ".azurecr.us",
        ),
    ];
    for ((_, name), own) in CloudName::ALL.into_iter().zip(hosts) {
        let cloud = Cloud::new(name, &Endpoints::default()).unwrap();
        for other in hosts {
            let is_own = own == other;
            let (arm, graph, vault, registry) = other;
            let expect = |audience: Audience| is_own.then_some(audience);
            assert_eq!(of(&cloud, &format!("https://{arm}/x")), expect(Audience::Arm));
            assert_eq!(of(&cloud, &format!("https://{graph}/v1.0/me")), expect(Audience::Graph));
            let host = format!("kv1{vault}");
            let url = format!("https://{host}/secrets/a");
            assert_eq!(of(&cloud, &url), expect(Audience::Vault(host)));
            let host = format!("reg{registry}");
            assert_eq!(
                of(&cloud, &format!("https://{host}/v2/")),
                expect(Audience::Registry(host))
            );
        }
    }
}

#[test]
fn what_only_looks_like_an_audience_is_nobody_s() {
    let cloud = public();
    for url in [
        "https://management.azure.com.evil.example/",
        "https://evil-management.azure.com/",
        "https://management.azure.com@evil.example/",
        "https://me@management.azure.com/",
        "https://me:pw@management.azure.com/",
        "https://management.azure.com./",
        "https://management.azure.com:8443/",
        "http://management.azure.com/",
        "http://management.azure.com:443/",
        "https://sub.management.azure.com/",
        "https://graph.microsoft.com.evil.example/",
        "https://vault.azure.net/",
        "https://.vault.azure.net/",
        "https://kv.vault.azure.net.evil.example/",
        "https://a.b.vault.azure.net/",
        "https://mykv.privatelink.vaultcore.azure.net/",
        "http://mykv.vault.azure.net/",
        "https://mykv.vault.azure.net:444/",
        "https://-kv.vault.azure.net/",
        "https://azurecr.io/",
        "https://evilazurecr.io/",
        "https://a.b.azurecr.io/",
        "https://reg.westeurope.data.azurecr.io/",
        "https://mänagement.azure.com/",
        "https://management。azure.com.evil.example/",
        "https://login.microsoftonline.com/t/oauth2/v2.0/token",
        "https://127.0.0.1/",
        "ftp://management.azure.com/",
        "data:text/plain,management.azure.com",
    ] {
        assert_eq!(of(&cloud, url), None, "{url}");
    }
    // What the parser makes the same is the same.
    for url in ["https://MANAGEMENT.azure.com:443/", "https://management%2eazure.com/"] {
        assert_eq!(of(&cloud, url), Some(Audience::Arm), "{url}");
    }
    let geo = "reg.westeurope.geo.azurecr.io";
    assert_eq!(of(&cloud, &format!("https://{geo}/v2/")), Some(Audience::Registry(geo.to_owned())));
    let hashed = "reg-a1b2.azurecr.io";
    assert_eq!(of(&cloud, &format!("https://{hashed}/")), Some(Audience::Registry(hashed.into())));
}

#[test]
fn an_endpoint_that_is_given_is_the_only_one() {
    let cloud = emulator(&[
        ("arm", "http://127.0.0.1:9444/arm"),
        ("graph", "http://127.0.0.1:9444/graph/"),
        ("vault", "http://127.0.0.1:9444/vaults/{name}"),
        ("registry", "http://127.0.0.1:5000"),
    ])
    .unwrap();
    let at = "127.0.0.1:9444".to_owned();
    for (url, expect) in [
        ("http://127.0.0.1:9444/arm/subscriptions", Some(Audience::Arm)),
        ("http://127.0.0.1:9444/arm", Some(Audience::Arm)),
        ("http://127.0.0.1:9444/armada", None),
        ("http://127.0.0.1:9444/", None),
        ("http://127.0.0.1:9445/arm/subscriptions", None),
        ("https://127.0.0.1:9444/arm/subscriptions", None),
        ("http://127.0.0.1:9444/arm/../secrets", None),
        ("http://127.0.0.1:9444/graph/v1.0/me", Some(Audience::Graph)),
        ("http://127.0.0.1:9444/vaults/kv1/secrets/a", Some(Audience::Vault(at))),
        ("http://127.0.0.1:9444/vaults/../secrets/a", None),
        ("http://127.0.0.1:9444/vaults//secrets/a", None),
        ("http://127.0.0.1:5000/v2/", Some(Audience::Registry("127.0.0.1:5000".to_owned()))),
        ("https://management.azure.com/", None),
        ("https://kv1.vault.azure.net/secrets/a", None),
        ("https://reg.azurecr.io/v2/", None),
    ] {
        assert_eq!(of(&cloud, url), expect, "{url}");
    }
    assert_eq!(cloud.vault("kv1").unwrap().as_str(), "http://127.0.0.1:9444/vaults/kv1/");
    assert_eq!(cloud.registry_at("127.0.0.1:5000").unwrap().as_str(), "http://127.0.0.1:5000/");
    assert!(cloud.registry_at("reg.azurecr.io").is_none());
    assert_eq!(cloud.resource(&Audience::Arm), "http://127.0.0.1:9444/arm");
}

#[test]
fn audiences_at_one_address_are_told_apart_by_their_paths() {
    let base = "https://127.0.0.1:9444";
    let all = [("arm", base), ("graph", base), ("vault", base), ("registry", base)];
    let cloud = emulator(&all).unwrap();
    let at = || "127.0.0.1:9444".to_owned();
    for (path, expect) in [
        ("/subscriptions/1/resourceGroups/v2", Audience::Arm),
        ("/v1.0/servicePrincipals", Audience::Graph),
        ("/secrets/a", Audience::Vault(at())),
        ("/v2/a/manifests/1", Audience::Registry(at())),
        ("/acr/v1/_catalog", Audience::Registry(at())),
        ("/", Audience::Arm),
    ] {
        assert_eq!(of(&cloud, &format!("{base}{path}")), Some(expect), "{path}");
    }
}

#[test]
fn suffixes_can_be_others() {
    let cloud =
        emulator(&[("vault-suffix", ".vault.emu.test"), ("registry-suffix", ".acr.emu.test")]);
    let cloud = cloud.unwrap();
    assert_eq!(cloud.vault("kv1").unwrap().as_str(), "https://kv1.vault.emu.test/");
    assert!(cloud.registry_at("reg.acr.emu.test").is_some());
    assert!(cloud.registry_at("reg.azurecr.io").is_none());
    assert!(cloud.hosts().contains(&".vault.emu.test".to_owned()));
}

#[test]
fn endpoints_that_would_give_tokens_away_are_refused() {
    for (key, text) in [
        ("arm", "http://management.example"),
        ("login", "http://login.example"),
        ("graph", "graph.example"),
        ("arm", "https://me:pw@management.example"),
        ("arm", "https://management.example/?x=1"),
        ("registry", "file:///etc"),
        ("vault", "http://{name}.vault.example"),
        ("vault", "{name}"),
        ("vault-suffix", "vault.example"),
        ("vault-suffix", ".net"),
        ("vault-suffix", ""),
        ("registry-suffix", ".a b.example"),
        ("registry-suffix", "."),
    ] {
        let error = emulator(&[(key, text)]).unwrap_err();
        assert!(error.to_string().starts_with(&format!("`{key}` is `")), "{key} {text}: {error}");
        assert!(!error.help.is_empty());
    }
    for fine in ["http://localhost:1", "http://[::1]:1", "http://azure.localhost", "https://a.b/c"]
    {
        emulator(&[("arm", fine)]).unwrap();
    }
}

#[test]
fn a_vault_is_a_name_or_a_url_of_this_cloud() {
    let cloud = public();
    assert_eq!(cloud.vault("mykeyvault").unwrap().as_str(), "https://mykeyvault.vault.azure.net/");
    for same in ["https://mykeyvault.vault.azure.net", "https://MyKeyVault.vault.azure.net/"] {
        assert_eq!(cloud.vault(same).unwrap().as_str(), "https://mykeyvault.vault.azure.net/");
    }
    for wrong in [
        "",
        "ab",
        "1abc",
        "a--b",
        "abc-",
        "a.b",
        "abc/../x",
        "a234567890123456789012345",
        "https://mykeyvault.vault.azure.cn",
        "https://evil.example",
        "http://mykeyvault.vault.azure.net",
        "https://mykeyvault.vault.azure.net.evil.example",
        "https://",
    ] {
        assert!(cloud.vault(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_vault_may_only_speak_of_its_own_domain() {
    let cloud = public();
    let may = |host: &str, resource: &str| cloud.may_ask(host, &Url::parse(resource).unwrap());
    assert!(may("kv1.vault.azure.net", "https://vault.azure.net"));
    assert!(may("127.0.0.1", "https://vault.azure.net"));
    assert!(!may("kv1.vault.azure.net", "https://management.azure.com"));
    assert!(!may("kv1.vault.azure.net", "https://azure.net"));
    assert!(!may("kv1.vault.azure.net", "https://net"));
    assert!(!may("kv1.vault.azure.net", "http://vault.azure.net"));
    assert!(!may("kv1.vault.azure.net", "https://graph.microsoft.com"));
}

#[test]
fn an_authority_of_the_environment_names_its_cloud() {
    let of = |url: &str| CloudName::of_authority(&Url::parse(url).unwrap());
    assert_eq!(of("https://login.microsoftonline.com/"), Some(CloudName::Public));
    assert_eq!(of("https://login.chinacloudapi.cn"), Some(CloudName::China));
    assert_eq!(of("https://login.microsoftonline.us/"), Some(CloudName::UsGov));
    assert_eq!(of("https://login.example"), None);
}

#[test]
fn tenants_are_parts_of_paths() {
    let cloud = public();
    let url = cloud.token_url("22222222-2222").unwrap();
    assert_eq!(url.as_str(), "https://login.microsoftonline.com/22222222-2222/oauth2/v2.0/token");
    let url = cloud.token_url("../common?x#y").unwrap();
    assert_eq!(url.host_str(), Some("login.microsoftonline.com"));
    assert!(url.query().is_none() && url.path().ends_with("/oauth2/v2.0/token"));
}

proptest::proptest! {
    /// No text of a host makes another host an audience.
    #[test]
    fn only_own_hosts_are_audiences(host in "[a-zA-Z0-9.@:%/\\\\_#?-]{0,40}") {
        if let Ok(url) = Url::parse(&format!("https://{host}/x"))
            && public().audience_of(&url).is_some()
        {
            let name = url.host_str().unwrap();
            let own = ["management.azure.com", "graph.microsoft.com"].contains(&name)
                || name.ends_with(".vault.azure.net")
                || name.ends_with(".azurecr.io");
            proptest::prop_assert!(own, "{}", url);
        }
    }
}
