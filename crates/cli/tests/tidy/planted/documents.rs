//! Keys and metrics that are not documented, or otherwise than they are; links that lead nowhere; habits
//! without a test.

use super::{fails, holds, said};
use crate::{documents, keys, metrics, translations};

const MANUAL: &str = "docs/configuration.md";
const CONFIG: &str = "\
use crate::net::{self, TakeoverRule};
use headwater_vod as vod;
#[derive(Deserialize)]
pub struct Config { data: PathBuf, net: net::Config, vod: vod::Config, access: Access }
impl Default for Config {
    fn default() -> Self {
        let (net, vod, access) = Default::default();
        Self { data: \"here\".into(), net, vod, access }
    }
}
#[derive(Default, Deserialize)]
struct Access { publish_key: Option<String>, open: bool, networks: Vec<Network> }
";
const NET: &str = "\
const KIB: usize = 1 << 10;
#[derive(Deserialize)]
pub struct Config {
    /// Where.
    pub(crate) listen: SocketAddr,
    pub(crate) chunk_size: u32,
    read_bytes_max: usize,
    takeover: TakeoverRule,
}
impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 1935)),
            chunk_size: 60_000,
            read_bytes_max: 64 * KIB,
            takeover: TakeoverRule::WhenSilent,
        }
    }
}
impl Config {
    fn check(&self) { if !(1..=9).contains(&self.chunk_size) { bail!(\"no\"); } }
}
#[derive(Deserialize)]
#[serde(rename_all = \"kebab-case\")]
pub enum TakeoverRule { Never, WhenSilent }
";
const VOD: &str = "\
#[derive(Deserialize)]
pub struct Config { pub films_max: usize, #[serde(rename = \"index\")] pub index_len: u64 }
impl Default for Config { fn default() -> Self { Self { films_max: 256 << 20, index_len: 1 } } }
";
const EXAMPLE: &str = "\
# Configuration
```toml
# Where.
data = \"here\"  # start
[net]
listen = \"[::]:1935\"
# Bytes, 1 to 9.
chunk_size = 60000
# More.
read_bytes_max = 65536
takeover = \"when-silent\"
[vod]
films_max = 268435456
index = 1
[access]
# publish_key = \"…\"
open = false
networks = []
```
";

/// A server with the configuration above, and a manual.
fn server(manual: &str) -> [(&str, &str); 6] {
    [
        ("crates/server/src/lib.rs", "mod config;\nmod net;\n"),
        ("crates/server/src/config.rs", CONFIG),
        ("crates/server/src/net.rs", NET),
        ("crates/vod/src/lib.rs", "mod library;\npub use library::Config;\n"),
        ("crates/vod/src/library.rs", VOD),
        (MANUAL, manual),
    ]
}

#[test]
fn keys_that_the_manual_leaves_out_or_makes_up() {
    holds(keys::findings, &server(EXAMPLE));
    let without = EXAMPLE.replace("films_max = 268435456\n", "");
    fails(keys::findings, &server(&without), "crates/vod/src/library.rs:2", "the key films_max of [vod]");
    // Another section's key of that name is none.
    let elsewhere =
        EXAMPLE.replace("films_max = 268435456\n", "").replace("[vod]\n", "films_max = 1\n[vod]\n");
    assert_eq!(said(keys::findings, &server(&elsewhere)).len(), 2);
    let made_up = EXAMPLE.replace("open = false\n", "open = false\nclosed = true\n");
    fails(keys::findings, &server(&made_up), "docs/configuration.md:18", "no key closed of [access]");
    let section = EXAMPLE.replace("[vod]\n", "[none]\n[vod]\n");
    fails(keys::findings, &server(&section), "docs/configuration.md:12", "no section [none]");
}

#[test]
fn defaults_and_ranges_that_the_manual_tells_otherwise() {
    for (right, wrong, line, says) in [
        ("data = \"here\"", "data = \"there\"", 4, "by default"),
        ("listen = \"[::]:1935\"", "listen = \"[::]:1936\"", 6, "by default"),
        ("chunk_size = 60000", "chunk_size = 6000", 8, "60000 by default"),
        ("read_bytes_max = 65536", "read_bytes_max = 64", 10, "65536 by default"),
        ("\"when-silent\"", "\"never\"", 11, "\"when-silent\" by default"),
        ("films_max = 268435456", "films_max = 256", 13, "268435456 by default"),
        ("open = false", "open = true", 17, "false by default"),
        ("networks = []", "networks = [1]", 18, "[] by default"),
        ("# publish_key", "publish_key", 16, "has no default"),
        ("\nopen = false", "\n# open = false", 17, "stands in a comment"),
        ("# Bytes, 1 to 9.", "# Bytes.", 8, "names no range"),
    ] {
        let manual = EXAMPLE.replace(right, wrong);
        fails(keys::findings, &server(&manual), &format!("{MANUAL}:{line}"), says);
    }
}

#[test]
fn a_default_that_cannot_be_read() {
    let config = CONFIG.replace("\"here\".into()", "somewhere()");
    let mut files = server(EXAMPLE);
    files[1].1 = &config;
    fails(keys::findings, &files, "docs/configuration.md:4", "cannot be read from `somewhere()`");
}

#[test]
fn a_unit_in_the_middle() {
    fails(keys::units_last, &server(EXAMPLE), "crates/server/src/net.rs:7", "call it read_max_bytes");
}

#[test]
fn metrics_that_the_manual_leaves_out_or_makes_up() {
    let code = "fn f() {\n    registry.register(\"viewers\", \"Viewers\", v);\n    registry.register(\n        \"refused\",\n        h, r);\n}\n";
    let code = ("crates/server/src/metrics.rs", code);
    let row = "| `headwater_viewers` | gauge | – | viewers |\n";
    let both = format!("{row}| `headwater_refused_total` | counter | `door` | refused |\n");
    holds(
        metrics::findings,
        &[code, ("docs/metrics.md", &both), ("docs/a.md", "`headwater_media`, `headwater_refused_total`")],
    );
    fails(
        metrics::findings,
        &[code, ("docs/metrics.md", row)],
        "crates/server/src/metrics.rs:4",
        "headwater_refused",
    );
    let empty = both.replace("| `door` |", "|  |");
    fails(metrics::findings, &[code, ("docs/metrics.md", &empty)], "docs/metrics.md:2", "empty cell");
    let hidden = ("crates/server/src/app.rs", "fn f() { registry.register(NAME, h, r); }\n");
    let said = "cannot be read from `NAME`";
    fails(metrics::findings, &[code, hidden, ("docs/metrics.md", &both)], "crates/server/src/app.rs:1", said);
    let elsewhere = ("docs/a.md", "x\nsee `headwater_films`\n");
    fails(
        metrics::findings,
        &[code, ("docs/metrics.md", &both), elsewhere],
        "docs/a.md:2",
        "no metric headwater_films",
    );
}

#[test]
fn links_that_lead_nowhere() {
    let target = ("docs/b.md", "# The `B` of it\n");
    let good = "[b](b.md) [h](b.md#the-b-of-it) [d](../docs) [w](https://x.y/z) [s](#top)\n# Top\n```\n[x](y)\n```\n";
    holds(documents::links, &[("docs/a.md", good), target]);
    fails(documents::links, &[("docs/a.md", "x\n[c](c.md)\n"), target], "docs/a.md:2", "c.md leads nowhere");
    fails(documents::links, &[("docs/a.md", "[b](b.md#none)\n"), target], "docs/a.md:1", "no heading");
}

/// The table of habits: as many rows as are known, each of which names the test `it_does`.
fn quirks() -> Vec<String> {
    (1..=documents::QUIRKS_COUNT)
        .map(|number| format!("| {number} | OBS | says so | taken | `it_does` |\n"))
        .collect()
}

#[test]
fn habits_without_their_tests() {
    let test = ("crates/cli/tests/a.rs", "//! x\n#[test]\nfn it_does() {}\n");
    let check = |change: &dyn Fn(&mut Vec<String>)| {
        let mut rows = quirks();
        change(&mut rows);
        said(documents::quirks, &[test, ("docs/quirks.md", &rows.concat())])
    };
    assert_eq!(check(&|_| {}), Vec::<String>::new());
    for (change, place, wrong) in [
        (
            (|rows| rows[6] = rows[6].replace("it_does", "nobody_does")) as fn(&mut Vec<String>),
            "docs/quirks.md:7",
            "no test nobody_does",
        ),
        (|rows| rows[6] = rows[6].replace(" | `it_does`", ""), "docs/quirks.md:7", "columns"),
        (|rows| rows[6] = rows[6].replace("`it_does`", "none"), "docs/quirks.md:7", "names no test"),
        (
            |rows| rows[6] = rows[6].replace("| 7 ", "| 8 "),
            "docs/quirks.md:7",
            "8 (OBS) stands where 7 should",
        ),
        (|rows| drop(rows.pop()), "docs/quirks.md", "are known; keep old rows"),
    ] {
        let said = check(&change);
        assert!(
            said.len() == 1 && said[0].starts_with(place) && said[0].contains(wrong),
            "{wrong}: {said:?}"
        );
    }
}

#[test]
fn a_translation_that_was_left_behind() {
    let original = "# A\n\nUse `b` and [c](c.md).\n\n```\nrun it      does it\n```\n\n| a | b |\n";
    let same = "# 甲\n\n用 [丙](c.md) 和 `b`。\n\n```\nrun it      做\n```\n\n| 甲 | 乙 |\n";
    let both = |translation: &str| {
        said(translations::findings, &[("README.md", original), ("README.zh-CN.md", translation)])
    };
    assert!(both(same).is_empty(), "{:?}", both(same));
    for (from, to) in
        [("`b`", "`d`"), ("c.md", "d.md"), ("run it", "run that"), ("| 甲 | 乙 |\n", ""), ("# 甲", "## 甲")]
    {
        let found = both(&same.replace(from, to));
        assert!(found.len() == 1 && found[0].starts_with("README.zh-CN.md:"), "{from}: {found:?}");
    }
    assert_eq!(both(&format!("{same}\n## 丁\n")).len(), 1);
}
