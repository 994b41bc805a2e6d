//! Any text as a word: expanded with each way of reading it.
//!
//! `cargo +nightly fuzz run expand`, in the folder above.

#![no_main]

use dockerfile::Variables;
use dockerfile::expand::Lexer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let variables: Variables = [("A", "one"), ("B", ""), ("C", "a/b*c?d")].into_iter().collect();
    for bits in 0..16_u8 {
        let lexer = Lexer {
            keep_quotes: bits & 1 != 0,
            keep_escapes: bits & 2 != 0,
            plain_quotes: bits & 4 != 0,
            keep_unset: bits & 8 != 0,
            ..Lexer::new('\\')
        };
        match lexer.expand(text, &variables) {
            Ok(found) => {
                for piece in found.words.iter().chain(&found.unmatched) {
                    assert!(text.get(piece.span.range()).is_some(), "{piece:?}");
                }
            }
            Err(error) => assert!(text.get(error.span.range()).is_some(), "{error:?}"),
        }
    }
});
