//! The layers of an image on a newer base, without building.

use serde_json::{Value, json};
use support::{Output, Skopeo};

use super::Workshop;

/// Version `version` of the base that applications stand on, under one tag; its digest.
fn write_base(shop: &Workshop, version: &str) -> String {
    let dockerfile = format!(
        "FROM {}\nCOPY version /etc/version\nCOPY shared /etc/shared\nENV BASE={version} KEPT=yes\nLABEL base={version}\n",
        shop.base()
    );
    shop.host.write("stable/Dockerfile", dockerfile);
    shop.host.write("stable/version", version);
    shop.host.write("stable/shared", "the same in all");
    let built = shop.build(&format!("context = \"stable\"\ntags = [{:?}]", stable(shop)));
    built["digest"].as_str().unwrap().to_owned()
}

fn stable(shop: &Workshop) -> String {
    format!("{}/base/stable:1", shop.registry())
}

fn app(shop: &Workshop) -> String {
    format!("{}/app:1", shop.registry())
}

/// An application on the base, whose `RUN`s are `more`.
fn write_app(shop: &Workshop, more: &str) -> Value {
    let dockerfile = format!(
        "FROM {}\nCOPY app /bin/app\n{more}ENV APP=1 KEPT=mine\nENTRYPOINT [\"/bin/app\"]\n",
        stable(shop)
    );
    shop.host.write("app/Dockerfile", dockerfile);
    shop.host.write("app/app", "#!/bin/sh\n");
    shop.build(&format!("context = \"app\"\ntags = [{:?}]", app(shop)))
}

fn try_rebase(shop: &Workshop, more: &str) -> Output {
    let (app, moved) = (app(shop), format!("{}/moved:1", shop.registry()));
    shop.try_build(&format!("tags = [{moved:?}]\n[step.with.rebase]\nimage = {app:?}\n{more}"))
}

#[test]
fn layers_move_to_a_newer_base_and_the_configuration_with_them() {
    let shop = Workshop::new();
    let old = write_base(&shop, "1");
    write_app(&shop, "RUN echo more > /etc/more\n");
    let unchanged = try_rebase(&shop, "").finished("build")["outputs"].clone();
    assert_eq!(unchanged["steps"], json!({ "done": 0, "cached": 1 }), "there is no newer base");
    let place = |name: &str| format!("docker://{}/{name}:1", shop.registry());
    assert_eq!(Skopeo::new().digest(&place("moved")), Skopeo::new().digest(&place("app")));

    let new = write_base(&shop, "2");
    assert_ne!(old, new);
    let ran = try_rebase(&shop, "");
    ran.exits(0);
    let moved = ran.finished("build")["outputs"].clone();
    assert_eq!(moved["steps"], json!({ "done": 1, "cached": 0 }));
    let digests = |place: &str| -> Vec<Value> {
        let manifest = Skopeo::new().manifest(place);
        let layers = manifest["layers"].as_array().unwrap();
        layers.iter().map(|layer| layer["digest"].clone()).collect()
    };
    let (app_layers, base) = (digests(&place("app")), digests(&place("base/stable")));
    let expected: Vec<Value> = [base.as_slice(), &app_layers[base.len()..]].concat();
    assert_eq!(digests(&place("moved")), expected);
    let manifest = Skopeo::new().manifest(&place("moved"));
    assert_eq!(manifest["annotations"]["org.opencontainers.image.base.digest"], new);
    let config = Skopeo::new().config(&place("moved"));
    assert_eq!(config["config"]["Env"], json!(["PATH=/bin", "BASE=2", "KEPT=mine", "APP=1"]));
    assert_eq!(config["config"]["Labels"], json!({ "base": "2" }));
    assert_eq!(config["config"]["Entrypoint"], json!(["/bin/app"]));
    let tree = Skopeo::new().tree(&place("moved"));
    let of_base = Skopeo::new().tree(&place("base/stable"));
    assert_eq!(tree["etc/version"], of_base["etc/version"]);
    assert!(tree.contains_key("bin/app") && tree.contains_key("etc/more"));

    // The same as if it had been built on the new base.
    let built = write_app(&shop, "RUN echo more > /etc/more\n");
    assert_eq!(Skopeo::new().tree(&place("app")), tree);
    let rebuilt = Skopeo::new().config(&place("app"));
    assert_eq!(rebuilt["config"], config["config"]);
    assert_ne!(built["digest"], Value::Null);
}

#[test]
fn a_layer_that_changes_what_differs_between_the_bases_is_not_moved() {
    let shop = Workshop::new();
    for (more, is_moved) in [
        ("RUN echo more >> /etc/version\n", false),
        ("RUN rm /etc/version\n", false),
        ("RUN echo more >> /etc/shared\n", true),
    ] {
        write_base(&shop, "1");
        write_app(&shop, more);
        write_base(&shop, "2");
        let ran = try_rebase(&shop, "");
        assert_eq!(ran.code, Some(i32::from(!is_moved)), "{more}{}", ran.account());
        assert_eq!(ran.stdout.contains("differ between the bases: /etc/version"), !is_moved);
    }
}

#[test]
fn an_image_that_stands_on_something_else_is_not_moved() {
    let shop = Workshop::new();
    write_base(&shop, "1");
    write_app(&shop, "");
    let other = format!("{}/base/other:1", shop.registry());
    shop.host.write("other/Dockerfile", format!("FROM {}\nRUN echo x > /x\n", shop.base()));
    shop.build(&format!("context = \"other\"\ntags = [{other:?}]"));
    let ran = try_rebase(&shop, &format!("old-base = {other:?}\nnew-base = {:?}", stable(&shop)));
    ran.exits(1);
    assert!(ran.stdout.contains("does not stand on"), "{}", ran.account());
    assert!(ran.stdout.contains("old-base"), "{}", ran.account());
}
