use super::{Error, errors};

#[test]
fn a_host_error_is_handed_on_unchanged() {
    let from_host = || errors::Error {
        code: "denied.http".to_owned(),
        message: "no".to_owned(),
        hint: Some("add this".to_owned()),
        retryable: true,
        details: Some("{}".to_owned()),
    };
    let back = errors::Error::from(Error::from(from_host()));
    assert_eq!(format!("{back:?}"), format!("{:?}", from_host()));
}

#[test]
fn the_first_and_the_last_word_of_a_code_are_its_kind() {
    let error = Error::new("oci.blob.not-found", "no blob");
    assert!(error.is("not-found"));
    assert!(error.is("oci"));
    assert!(!error.is("blob"));
    assert!(Error::new("denied", "no").is("denied"));
}

#[test]
fn what_was_being_done_goes_before_the_message_and_keeps_the_rest() {
    let error = Error::new("transient.http", "connection reset").hint("again").retryable();
    let error = error.during("copy `a` to `b`");
    assert_eq!(error.to_string(), "copy `a` to `b`: connection reset");
    assert_eq!(error.code(), "transient.http");
    assert_eq!(error.hint_text(), Some("again"));
    assert!(error.is_retryable());
}

#[test]
fn io_errors_keep_their_kind() {
    let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
    assert_eq!(Error::from(missing).code(), "not-found.io");
    assert_eq!(Error::from(std::io::Error::other("odd")).code(), "failed.io");
}
