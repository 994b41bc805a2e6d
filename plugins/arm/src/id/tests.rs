use proptest::prelude::*;

use super::*;

const S: &str = "/subscriptions/11111111-1111-1111-1111-111111111111";

fn parse(text: &str) -> ResourceId {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_id_is_put_together_and_taken_apart() {
    let group = parse(S).resource_group("rg1").unwrap();
    let kind = "Microsoft.ContainerRegistry/registries";
    let registry = group.resource(kind, "reg").unwrap();
    let hook = registry.child("webhooks", "w").unwrap();
    assert_eq!(hook.to_string(), format!("{S}/resourceGroups/rg1/providers/{kind}/reg/webhooks/w"));
    assert_eq!(parse(&hook.to_string()), hook);
    assert_eq!(hook.kind().as_deref(), Some("Microsoft.ContainerRegistry/registries/webhooks"));
    assert!(registry.is_a("microsoft.containerregistry/Registries"));
    assert_eq!((hook.group(), hook.name()), (Some("rg1"), "w"));
    assert_eq!(hook.subscription_id(), "11111111-1111-1111-1111-111111111111");
    assert_eq!((parse(S).kind(), parse(S).group()), (None, None));
}

#[test]
fn case_makes_no_difference() {
    let id = format!("{S}/resourcegroups/RG1/PROVIDERS/microsoft.x/Ys/Z/");
    assert_eq!(parse(&id), parse(&format!("{S}/resourceGroups/rg1/providers/Microsoft.X/ys/z")));
    assert_eq!(parse(&id).group(), Some("RG1"));
    assert_ne!(parse(S), parse(&format!("{S}/resourceGroups/a")));
}

#[test]
fn what_is_no_id_says_why() {
    for (text, why) in [
        ("".to_owned(), "does not begin with a slash"),
        ("myregistry".to_owned(), "does not begin with a slash"),
        ("/".to_owned(), "a part of it is empty"),
        ("/a/b".to_owned(), "begin with `/subscriptions/ID`"),
        ("/subscriptions/me".to_owned(), "a GUID"),
        (format!("{S}/things/x"), "follows the subscription"),
        (format!("{S}/resourceGroups"), "is missing"),
        (format!("{S}/resourceGroups/a/providers/Microsoft.X"), "is missing"),
        (format!("{S}/resourceGroups/a/providers/Microsoft.X/y"), "is missing"),
        (format!("{S}/resourceGroups/a/providers/Microsoft.X/y/z/w"), "is missing"),
        (format!("{S}/resourceGroups//a"), "a part of it is empty"),
        (format!("{S}/resourceGroups/.."), "a part of it is empty"),
        (format!("{S}/resourceGroups/a?b"), "no name has"),
        (format!("{S}/resourceGroups/a%2fb"), "no name has"),
        (format!("/{}", "a".repeat(5000)), "too long"),
    ] {
        let error = text.parse::<ResourceId>().expect_err(&text);
        assert!(error.to_string().contains(why), "{error}");
    }
    for name in ["", "a.", "a b", "a/b", &"x".repeat(91)] {
        assert!(parse(S).resource_group(name).is_err(), "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_an_id_or_an_error(text in "\\PC*") {
        if let Ok(id) = text.parse::<ResourceId>() {
            prop_assert_eq!(id.to_string().parse::<ResourceId>(), Ok(id));
        }
    }
}
