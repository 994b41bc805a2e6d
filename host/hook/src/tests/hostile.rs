//! What else arrives: what is wrong, broken off, deep, or without end.

use proptest::prelude::*;

use super::bodies::{ASKED, IMAGE, PUSHED, cloud, event, grid, read};
use super::headers;
use crate::{Form, Heard};

#[test]
fn wrong_types_and_hidden_things_are_refused() {
    let refused = |from: &str, to: &str, why: &str| {
        let body = format!("{{\"events\":[{}]}}", event("push", IMAGE, "manifests"));
        assert!(body.contains(from));
        let error = read(Form::Distribution, &[], &body.replace(from, to)).unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    refused("\"team/app\"", "7", "invalid type: integer `7`, expected a text");
    refused("\"team/app\"", "[\"team/app\"]", "expected a text");
    refused("\"team/app\"", "\"team/\\u001b[2Japp\"", "a control character in a name");
    refused("\"team/app\"", "\"team app\"", "a blank or");
    refused("\"v1\"", &format!("\"{}\"", "v".repeat(513)), "more than 512 bytes");
    refused("\"team/app\"", "\"\"", "a push without a repository");
    refused("\"action\":\"push\",", "", "missing field `action`");
    refused("{\"events\":[", "{\"events\":{\"a\":[", "expected a list of events");
    let long = format!("{{\"events\":\"{}\"}}", "x".repeat(100_000));
    assert!(read(Form::Distribution, &[], &long).unwrap_err().len() < 400, "not all is repeated");
}

#[test]
fn events_have_an_end() {
    let body = |count: usize| {
        let events = vec![event("push", IMAGE, "manifests"); count];
        format!("{{\"events\":[{}]}}", events.join(","))
    };
    let Ok(Heard::Delivery(delivery)) = read(Form::Distribution, &[], &body(1000)) else {
        panic!("a thousand are heard")
    };
    assert_eq!(delivery.pushes.len(), 1000);
    let error = read(Form::Distribution, &[], &body(10_000)).unwrap_err();
    assert!(error.starts_with("more than 1000 events"), "{error}");
    let many = vec![cloud("1", "x", "0"); 10_000].join(",");
    assert!(read(Form::EventGrid, &[], &format!("[{many}]")).unwrap_err().contains("1000 events"));
}

#[test]
fn deep_bodies_do_not_break_the_stack() {
    let deep = "[".repeat(500_000);
    let nested = format!("{deep}{}", "]".repeat(500_000));
    for form in Form::ALL {
        let head = [("x-github-event", "push")];
        for body in [
            deep.clone(),
            nested.clone(),
            format!("{{\"events\":{nested}}}"),
            format!("{{\"push_data\":{{}},\"repository\":{nested}}}"),
            format!("[{{\"type\":\"{PUSHED}\",\"data\":{nested}}}]"),
        ] {
            let said = read(form, &head, &body);
            assert!(form == Form::Any || said.is_err(), "{form:?} {said:?}");
        }
    }
}

/// Bodies as they come from senders, one for each form and shape.
fn good() -> Vec<(Form, String)> {
    let hub =
        r#"{"push_data":{"pushed_at":1417566161,"tag":"latest"},"repository":{"repo_name":"a/b"}}"#;
    let commit = r#"{"ref":"refs/heads/main","after":"6113","repository":{"full_name":"a/b"}}"#;
    let pushed = event("push", IMAGE, "manifests");
    vec![
        (Form::Distribution, format!("{{\"events\":[{pushed}]}}")),
        (Form::Acr, pushed.clone()),
        (Form::DockerHub, hub.to_owned()),
        (Form::EventGrid, format!("[{}]", grid("1", PUSHED, &pushed))),
        (Form::EventGrid, cloud("1", PUSHED, &pushed)),
        (Form::EventGrid, format!("[{}]", grid("1", ASKED, "{\"validationCode\":\"x\"}"))),
        (Form::Github, commit.to_owned()),
        (Form::Any, pushed),
    ]
}

#[test]
fn what_breaks_off_is_refused_wherever_it_does() {
    for (form, body) in good() {
        let head = [("x-github-event", "push")];
        assert!(!matches!(read(form, &head, &body), Err(_) | Ok(Heard::Ignored(_))), "{body}");
        for end in 1..body.len() {
            assert!(read(form, &head, &body[..end]).is_err(), "{form:?} {end}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..300), of in 0..6_usize) {
        let _ = Form::ALL[of].read(&headers(&[("x-github-event", "package")]), &bytes);
    }

    #[test]
    fn no_change_of_a_good_body_breaks_it(
        of in 0..8_usize, at in any::<prop::sample::Index>(), with in ".{0,8}", length in 0..20_usize,
    ) {
        let (form, body) = good().swap_remove(of);
        let mut bytes = body.into_bytes();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, with.bytes());
        if let Ok(Heard::Delivery(delivery)) =
            form.read(&headers(&[("x-github-event", "push")]), &bytes)
        {
            for push in delivery.pushes {
                prop_assert!(!push.repository.is_empty());
                prop_assert!(!push.repository.contains(char::is_control));
            }
        }
    }
}
