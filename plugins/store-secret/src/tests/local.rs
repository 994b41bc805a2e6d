use super::*;

#[test]
fn a_value_goes_into_the_local_store_if_it_is_another() {
    let inputs = || json!({ "to": "local", "name": "copy", "secret": "mine" });
    let world = World::new(Table::default());
    assert!(world.run(inputs(), true).unwrap().0.changed);
    assert!(!world.secrets.borrow().contains_key("copy"));
    let (outputs, summary) = world.run(inputs(), false).unwrap();
    assert_eq!((outputs.changed, outputs.id, outputs.name.as_str()), (true, None, "copy"));
    assert_eq!(summary, "stored `copy` in the local store");
    assert_eq!(world.secrets.borrow()["copy"], "s3cr3t-mine");
    assert!(!world.run(inputs(), false).unwrap().0.changed);
}

#[test]
fn a_random_value_is_made_once_and_never_lost() {
    let inputs =
        |rotate: bool| json!({ "to": "local", "name": "db", "generate": {}, "rotate": rotate });
    let world = World::new(Table::default());
    assert!(world.run(inputs(false), false).unwrap().0.changed);
    assert_eq!(world.secrets.borrow()["db"], "s3cr3t-1-32-Alphanumeric");
    assert!(!world.run(inputs(false), false).unwrap().0.changed);
    assert!(world.run(inputs(true), false).unwrap().0.changed);
    assert_eq!(world.secrets.borrow()["db"], "s3cr3t-2-32-Alphanumeric");
    // It was stored, and cannot be read: nobody knows whether it is gone.
    world.secrets.borrow_mut().remove("db");
    let error = world.run(inputs(false), false).unwrap_err();
    assert!(error.hint_text().unwrap().contains("[secrets] db = { from = \"store\" }"));
    assert!(world.run(inputs(true), false).unwrap().0.changed);
}
