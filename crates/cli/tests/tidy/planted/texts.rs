//! Files and functions too long, silent files, empty names, limits without a reason.

use super::{fails, holds, said};
use crate::{limits, names, sizes, tables};

const PATH: &str = "crates/media/src/bits.rs";

/// A file of so many lines.
fn lines(count: usize) -> String {
    "// x\n".repeat(count)
}

#[test]
fn a_file_too_long() {
    let max = tables::FILE_LINES_MAX;
    holds(sizes::findings, &[(PATH, &lines(max))]);
    fails(sizes::findings, &[(PATH, &lines(max + 1))], PATH, "without its tests");
    let tests = |count| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(count));
    holds(sizes::findings, &[(PATH, &(lines(max) + &tests(100)))]);
    // What stands behind the tests counts.
    fails(sizes::findings, &[(PATH, &(tests(1) + &lines(max + 1)))], PATH, "without its tests");
    fails(sizes::findings, &[(PATH, &tests(tables::FILE_LINES_NEVER))], PATH, "with its tests");
    let test = "crates/media/tests/a.rs";
    holds(sizes::findings, &[(test, &lines(tables::TEST_FILE_LINES_MAX))]);
    fails(sizes::findings, &[(test, &lines(tables::TEST_FILE_LINES_MAX + 1))], test, "of tests");
}

#[test]
fn a_function_too_long() {
    let function = |count| format!("//! x\n#[cfg(test)]\nuse a;\nasync fn f() {{\n{}}}\n", lines(count));
    holds(sizes::findings, &[(PATH, &function(tables::FUNCTION_LINES_MAX - 2))]);
    let place = format!("{PATH}:4");
    fails(sizes::findings, &[(PATH, &function(tables::FUNCTION_LINES_MAX - 1))], &place, "fn f has 71 lines");
}

#[test]
fn a_file_that_does_not_say_what_it_is() {
    fails(names::findings, &[(PATH, "fn f() {}\n")], &format!("{PATH}:1"), "does not open with //!");
    holds(names::findings, &[(PATH, "//! Bits.\n")]);
}

#[test]
fn names_that_say_nothing() {
    let path = "crates/media/src/utils/bits.rs";
    fails(names::findings, &[(path, "//! x\n")], path, "the name utils says nothing");
    for text in ["struct BoxManager;", "enum MiscKind {}", "trait Helper {}", "type CommonTypes = u8;"] {
        assert_ne!(
            said(names::findings, &[(PATH, &format!("//! x\n{text}\n"))]),
            Vec::<String>::new(),
            "{text}"
        );
    }
    fails(names::findings, &[(PATH, "//! x\nmod helpers {}\n")], &format!("{PATH}:2"), "the name helpers");
    fails(
        names::findings,
        &[(PATH, "//! x\nfn get_bits() {}\n")],
        &format!("{PATH}:2"),
        "fn get_bits says get",
    );
    // Words that only contain such a word, and the prometheus crate's own methods.
    holds(names::findings, &[(PATH, "//! x\nstruct Managerial;\nfn f() { a.get_or_create(); }\n")]);
}

#[test]
fn a_limit_without_its_reason() {
    let place = format!("{PATH}:3");
    for text in [
        "//! x\n\nconst BYTES_MAX: usize = 4;\n",
        "//! x\n// Plain.\npub const MAX_BYTES: usize = 4;\n",
        "/// For this one.\nconst A_MIN: u8 = 1;\npub(crate) const B_MAX: u8 = 2;\n",
        "/// Not directly.\n\nconst LIMIT: u8 = 1;\n",
        "#[cfg(test)]\nuse a;\nconst A_MAX: u8 = b'}';\n",
    ] {
        fails(limits::findings, &[(PATH, text)], &place, "stands without its reason");
    }
    let text = "/// Why.\n#[cfg(unix)]\npub(super) const A_MAX: u8 = 1;\nconst SIZE: u8 = 1;\n\
        #[cfg(test)]\nconst B_MAX: u8 = 1;\n";
    holds(limits::findings, &[(PATH, text)]);
    holds(limits::findings, &[("crates/media/tests/a.rs", "const A_MAX: u8 = 1;\n")]);
}
