//! How Rust is read: where tests begin and end, and what is no code.

use crate::lexer::{Kind, tokens};
use crate::rust_file::RustFile;
use crate::tree::Tree;

#[test]
fn strings_lifetimes_and_comments_are_no_braces() {
    let text = r###"fn f<'a>(x: &'a str) { '{'; '\''; "}\"{"; r#"}"{"#; b'{'; b"{"; /* { /* } */ { */ 'b'; 0..9; 1.5 } // }"###;
    let kinds: Vec<_> =
        tokens(text).into_iter().filter(|t| t.kind != Kind::Mark && t.kind != Kind::Word).collect();
    let texts: Vec<&str> = kinds.iter().map(|token| token.text).collect();
    let expected = [
        "'a",
        "'a",
        "'{'",
        r"'\''",
        r#""}\"{""#,
        r##"r#"}"{"#"##,
        "b'{'",
        "b\"{\"",
        "/* { /* } */ { */",
        "'b'",
    ];
    assert_eq!(texts[..10], expected);
    assert_eq!(texts[10..], ["0", "9", "1.5", "// }"]);
    assert_eq!(RustFile::new(text).functions().len(), 1);
}

#[test]
fn only_the_item_behind_cfg_test_is_left_out() {
    let text = "\
fn a() {}
#[cfg(test)]
const B: [u8; 2] = [b'}', 1];
fn c() {}
#[cfg(test)]
#[allow(dead_code)]
mod tests {
    fn d() { '}'; }
}
struct S {
    #[cfg(test)]
    e: Map<u8, u8>,
    f: u8,
}
#[cfg(all(test, unix))]
use g::{h, i};
#[cfg(not(test))]
fn j() {}
fn k() {}
";
    let file = RustFile::new(text);
    let words: Vec<&str> =
        file.code.iter().filter(|t| t.kind == Kind::Word && t.text.len() == 1).map(|t| t.text).collect();
    assert_eq!(words, ["a", "c", "S", "f", "j", "k"]);
    assert_eq!((file.lines, file.test_lines), (19, 11));
}

#[test]
fn modules_of_tests_are_tests_whatever_they_are_called() {
    let tree = Tree::planted(&[
        ("crates/media/src/lib.rs", "#[cfg(test)]\nmod round_trip;\nmod real;\n"),
        ("crates/media/src/round_trip.rs", "mod deeper;\n"),
        ("crates/media/src/round_trip/deeper.rs", ""),
        ("crates/media/src/real.rs", ""),
        ("crates/media/tests/it.rs", ""),
    ]);
    let tests: Vec<&str> =
        tree.rust.iter().filter(|(_, file)| file.is_test).map(|(path, _)| path.as_str()).collect();
    let expected = [
        "crates/media/src/round_trip.rs",
        "crates/media/src/round_trip/deeper.rs",
        "crates/media/tests/it.rs",
    ];
    assert_eq!(tests, expected);
}
