//! Several copies at once, and what one step may know of what another one brought.

use super::*;

fn planned(source: &Repository, selector: &str, target: &Repository) -> PlannedCopy {
    let (source, target, selector) = (source.clone(), target.clone(), selector.to_owned());
    let request = tagged(&selector);
    PlannedCopy { source, selector, target, request }
}

#[tokio::test]
async fn nothing_is_mounted_from_where_the_step_may_not_pull() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let all = run.call(&everything(&registry));
    put_image(&all, &registry.at("secret/app"), "1").await;
    let secret = all.oci.open(&registry.at("secret/app"), PULL).await.unwrap();
    let twin = all.oci.open(&registry.at("secret/twin"), WRITE).await.unwrap();
    let evil = all.oci.open("oci-layout:evil", WRITE).await.unwrap();
    // The run knows now where the layer is, and the layout names it without having it.
    all.oci.copy(&secret, "1", &twin, &tagged("1")).await.unwrap();
    all.oci.copy(&secret, "1", &evil, &tagged("1")).await.unwrap();
    let layer = Digest::of(&[7; 100_000]).to_string();
    let path = format!("evil/blobs/{}", layer.replace(':', "/"));
    fs_err::remove_file(run.workspace().join(path)).unwrap();

    let public = registry.at("public/**");
    let some = run.call(&grant(&["oci-layout:evil", &public], &[&public], &[]));
    let evil = some.oci.open("oci-layout:evil", PULL).await.unwrap();
    let target = some.oci.open(&registry.at("public/app"), WRITE).await.unwrap();
    let refused = some.oci.copy(&evil, "1", &target, &tagged("1")).await.unwrap_err();
    assert_eq!(refused.kind, Kind::NotFound, "{refused}");
    assert_eq!(target.resolve("1").await.unwrap(), None);

    // Whoever may pull from there gets it mounted: the grant alone made the difference.
    let evil = all.oci.open("oci-layout:evil", PULL).await.unwrap();
    let target = all.oci.open(&registry.at("public/app"), WRITE).await.unwrap();
    let copied = all.oci.copy(&evil, "1", &target, &tagged("1")).await.unwrap();
    assert!(copied.mounted >= 1, "{copied:?}");
}

#[tokio::test]
async fn what_is_mounted_from_must_be_granted_to_be_pulled() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let all = run.call(&everything(&registry));
    put_image(&all, "oci-layout:image", "1").await;
    put_image(&all, &registry.at("secret/app"), "1").await;
    let request = CopyRequest { mount_from: Some(registry.at("secret/app")), ..tagged("1") };

    let public = registry.at("public/**");
    let some = run.call(&grant(&["oci-layout:image", &public], &[&public], &[]));
    let source = some.oci.open("oci-layout:image", PULL).await.unwrap();
    let target = some.oci.open(&registry.at("public/app"), WRITE).await.unwrap();
    let refused = some.oci.copy(&source, "1", &target, &request).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Denied, "denied.oci"));

    let source = all.oci.open("oci-layout:image", PULL).await.unwrap();
    let target = all.oci.open(&registry.at("public/app"), WRITE).await.unwrap();
    let copied = all.oci.copy(&source, "1", &target, &request).await.unwrap();
    assert_eq!((copied.mounted, copied.sent), (2, 1));
}

#[tokio::test]
async fn a_batch_answers_in_its_order_and_goes_on_if_told_to() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&everything(&registry));
    for tag in ["1", "3"] {
        put_image(&call, &registry.at("a"), tag).await;
    }
    let source = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let target = call.oci.open(&registry.at("b"), WRITE).await.unwrap();
    let copies = ["1", "2", "3"].map(|tag| planned(&source, tag, &target)).to_vec();
    let copied = call.oci.copy_all(copies.clone(), true).await;
    let kinds: Vec<Option<Kind>> =
        copied.iter().map(|copied| copied.as_ref().err().map(|fault| fault.kind)).collect();
    assert_eq!(kinds, [None, Some(Kind::NotFound), None]);
    let forecasts = call.oci.forecast_all(copies).await;
    assert!(!forecasts[0].as_ref().unwrap().changed && forecasts[1].is_err());
    assert!(target.requests().contains_key("PUT"));
}

#[tokio::test]
async fn an_archive_is_written_once_for_all_that_go_into_it() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let text = GrantText {
        oci_pull: vec!["oci-archive:**".to_owned(), registry.at("**")],
        oci_push: vec!["oci-archive:**".to_owned(), registry.at("**")],
        ..GrantText::default()
    };
    let call = run.call(&text);
    for tag in ["1", "2", "3"] {
        put_image(&call, &registry.at("a"), tag).await;
    }
    let source = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let target = call.oci.open("oci-archive:all.tar", WRITE).await.unwrap();
    let copies = ["1", "gone", "2", "3"].map(|tag| planned(&source, tag, &target)).to_vec();
    let copied = call.oci.copy_all(copies, true).await;
    assert_eq!(copied.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, true]);
    let again = call.oci.open("oci-archive:all.tar", PULL).await.unwrap();
    assert_eq!(again.tags(None, 9).await.unwrap(), ["1", "2", "3"]);
}

#[tokio::test]
async fn of_many_images_is_counted_how_many_are_done() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&everything(&registry));
    let tags = ["1", "2", "3", "4", "5"];
    for tag in tags {
        put_image(&call, &registry.at("a"), tag).await;
    }
    let source = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let target = call.oci.open(&registry.at("b"), WRITE).await.unwrap();
    let copies = tags.map(|tag| planned(&source, tag, &target)).to_vec();
    for copied in call.oci.copy_all(copies, false).await {
        copied.unwrap();
    }
    let lines = run.recorder.lines();
    let starts: Vec<&String> = lines.iter().filter(|line| line.starts_with("start ")).collect();
    assert!(starts.first().is_some_and(|line| line.contains("copy 5 images")), "{starts:#?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("end ")).count(), starts.len());
}

#[tokio::test]
async fn without_keep_going_no_further_copy_begins_after_a_failure() {
    let (run, registry) = (TestRun::new(), Registry::start(None).await);
    let call = run.call(&everything(&registry));
    put_image(&call, &registry.at("a"), "there").await;
    let source = call.oci.open(&registry.at("a"), PULL).await.unwrap();
    let target = call.oci.open(&registry.at("b"), WRITE).await.unwrap();
    // As many that fail as run at the same time, so that the last one waits for one of them.
    let tags = ["gone"; 8].into_iter().chain(["there"]);
    let copies = tags.map(|tag| planned(&source, tag, &target)).collect();
    let copied = call.oci.copy_all(copies, false).await;
    assert_eq!(copied.last().unwrap().as_ref().unwrap_err().code, "cancelled.oci");
    assert_eq!(target.resolve("there").await.unwrap(), None);
}
