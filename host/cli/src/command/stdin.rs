//! Values that are piped in: never from the command line, which other processes can see.

use std::io::{IsTerminal as _, Read};

use report::{Fault, Kind, Secret};

use super::Failure;

/// 64 KiB, as for a secret from a file.
const LARGEST: u64 = 64 * 1024;

/// The secret `name` of a pipeline, whole.
///
/// # Errors
/// Nothing is piped in, or nothing that can be a secret.
pub(super) fn read(name: &str) -> Result<Secret, Failure> {
    let input = std::io::stdin();
    if input.is_terminal() {
        let message = format!("the secret `{name}` is from standard input, which is a terminal");
        return Err(Failure::Usage(Fault::new(Kind::Invalid, message).help(HELP)));
    }
    read_from(name, input.lock())
}

const HELP: &str =
    "pipe its value in: `printf %s \"$VALUE\" | windlass run FILE`, or `windlass run FILE < VALUE`";

fn read_from(name: &str, input: impl Read) -> Result<Secret, Failure> {
    // Room for all of it: a vector that grows leaves what it had in memory that nobody wipes.
    let mut value = Vec::with_capacity(2 * LARGEST as usize);
    input
        .take(LARGEST + 1)
        .read_to_end(&mut value)
        .map_err(|error| Fault::new(Kind::Failed, "standard input cannot be read").cause(error))?;
    let refuse = |what: &str| {
        let message = format!("the secret `{name}` is from standard input, which {what}");
        Err(Failure::Usage(Fault::new(Kind::Invalid, message).help(HELP)))
    };
    if value.len() as u64 > LARGEST {
        return refuse("has more than 64 KiB");
    }
    // As of a file: `echo` and editors add it.
    for end in [b'\n', b'\r'] {
        if value.last() == Some(&end) {
            value.pop();
        }
    }
    match value.is_empty() {
        true => refuse("is empty"),
        false => Ok(Secret::new(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
        match read_from("token", bytes) {
            Ok(secret) => Ok(secret.expose().to_vec()),
            Err(Failure::Usage(fault)) => Err(fault.message),
            Err(_) => Err("another failure".to_owned()),
        }
    }

    #[test]
    fn all_of_it_but_a_final_line_end_is_the_secret() {
        assert_eq!(read(b"one\ntwo\n").unwrap(), b"one\ntwo");
        assert_eq!(read(b"one\r\n").unwrap(), b"one");
        assert_eq!(read(b"one\n\n").unwrap(), b"one\n");
        assert_eq!(read(&[0xff, 0]).unwrap(), [0xff, 0]);
        assert_eq!(read(&vec![b'x'; 64 * 1024]).unwrap().len(), 64 * 1024);
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        for empty in [&b""[..], b"\n", b"\r\n"] {
            assert!(read(empty).unwrap_err().ends_with("which is empty"));
        }
        let error = read(&vec![b'x'; 64 * 1024 + 1]).unwrap_err();
        assert!(error.ends_with("has more than 64 KiB") && !error.contains("xx"), "{error}");
    }
}
