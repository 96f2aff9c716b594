//! Broken arrows between crates and rooms, banned paths, files in no room, circles.

use super::{fails, holds};
use crate::{circles, floors};

const SERVER: &str = "crates/server/src/lib.rs";
const DOORS: &str = "crates/server/src/doors/mod.rs";
const HTTP: &str = "crates/server/src/doors/http.rs";
const RTMP: &str = "crates/server/src/doors/rtmp.rs";

#[test]
fn a_dependency_that_runs_up() {
    let manifest = "[package]\nname = \"headwater-hub\"\n[dependencies]\nheadwater-rtmp.workspace = true\n";
    fails(
        floors::findings,
        &[("crates/hub/Cargo.toml", manifest)],
        "crates/hub/Cargo.toml:4",
        "hub names rtmp",
    );
    let manifest = "[dependencies]\nheadwater-media = { workspace = true }\nbytes = \"1\"\n";
    holds(floors::findings, &[("crates/hub/Cargo.toml", manifest)]);
}

#[test]
fn a_crate_named_from_below() {
    let file = "//! x\nfn f() { headwater_server::run(); }\n";
    let path = "crates/vod/src/library.rs";
    fails(floors::findings, &[(path, file)], "crates/vod/src/library.rs:2", "vod names server");
    let test = "//! x\n#[cfg(test)]\nmod tests {\n    use headwater_server::run;\n}\n";
    holds(floors::findings, &[(path, test)]);
}

#[test]
fn a_clock_or_a_socket_where_none_may_be() {
    let face = ("crates/hub/src/lib.rs", "//! x\nmod log;\n");
    for (text, line) in [
        ("use std::{fmt, time::{Duration, Instant}};\n", 1),
        ("use std::time;\nfn f() { time::Instant::now(); }\n", 2),
        ("use std::time::*;\n", 1),
        ("fn f() { std::net::TcpStream::connect(1); }\n", 1),
        ("#[cfg(test)]\nconst A: u8 = b'{';\nfn f() { tokio::spawn(g); }\n", 3),
    ] {
        let place = format!("crates/hub/src/log.rs:{line}");
        fails(
            floors::findings,
            &[face, ("crates/hub/src/log.rs", text)],
            &place,
            "the hub knows no protocol",
        );
    }
    let allowed = "use std::time::Duration;\n// Instant\nconst A: &str = \"std::net::TcpStream\";\n";
    holds(floors::findings, &[face, ("crates/hub/src/log.rs", allowed)]);
}

#[test]
fn the_driver_alone_touches_a_socket() {
    let face = ("crates/rtmp/src/lib.rs", "//! x\nmod session;\nmod tokio;\n");
    let driver = ("crates/rtmp/src/tokio.rs", "use ::tokio::net::TcpStream;\nuse crate::session::S;\n");
    let session = ("crates/rtmp/src/session.rs", "pub struct S;\n");
    holds(floors::findings, &[face, driver, session]);
    let wrong = ("crates/rtmp/src/session.rs", "use tokio::net::TcpStream;\npub struct S;\n");
    fails(
        floors::findings,
        &[("crates/rtmp/src/lib.rs", "mod session;\n"), wrong],
        "crates/rtmp/src/session.rs:1",
        "clock",
    );
}

#[test]
fn a_picture_reads_no_file() {
    let files = [
        ("crates/vod/src/lib.rs", "mod thumbnails;\n"),
        ("crates/vod/src/thumbnails/mod.rs", "mod picture;\n"),
        ("crates/vod/src/thumbnails/picture/mod.rs", "fn f() { std::fs::read(1); }\n"),
    ];
    fails(floors::findings, &files, "crates/vod/src/thumbnails/picture/mod.rs:1", "bytes in and bytes out");
}

#[test]
fn a_door_that_names_a_door() {
    let face = (SERVER, "mod doors;\n");
    let doors = (DOORS, "pub(crate) mod http;\npub(crate) mod rtmp;\n");
    let other = (RTMP, "pub(crate) struct Shared;\n");
    for text in [
        "use crate::doors::rtmp::Shared;\n",
        "use super::{rtmp::Shared};\n",
        "fn f(_: super::rtmp::Shared) {}\n",
        "use super::rtmp as other;\nfn f(_: other::Shared) {}\n",
    ] {
        let line = text.lines().count();
        let place = format!("{HTTP}:{line}");
        fails(floors::findings, &[face, doors, other, (HTTP, text)], &place, "a door names no other door");
    }
}

#[test]
fn a_door_that_reads_the_configuration_by_a_detour() {
    let files = [
        (SERVER, "mod config;\nmod doors;\npub use config::Config;\n"),
        ("crates/server/src/config.rs", "pub struct Config;\n"),
        (DOORS, "pub(crate) mod http;\n"),
        (HTTP, "use crate::Config;\n"),
    ];
    fails(floors::findings, &files, &format!("{HTTP}:1"), "server http names server config");
}

#[test]
fn rooms_that_name_what_stands_above() {
    let door = (DOORS, "pub(crate) mod http;\n");
    let http = (HTTP, "pub(crate) struct Shared;\n");
    for (path, module) in [
        ("crates/server/src/net/tls.rs", "mod net;\n"),
        ("crates/server/src/workers/demo.rs", "mod workers;\n"),
        ("crates/server/src/access.rs", "mod access;\n"),
        ("crates/server/src/events.rs", "mod events;\n"),
    ] {
        let face = format!("mod doors;\n{module}");
        let net = ("crates/server/src/net/mod.rs", "mod tls;\n");
        let workers = ("crates/server/src/workers/mod.rs", "mod demo;\n");
        let file = (path, "//! x\nuse crate::doors::http::Shared;\n");
        let files = [(SERVER, &*face), door, http, net, workers, file];
        fails(floors::findings, &files, &format!("{path}:2"), "names server http");
    }
}

#[test]
fn a_file_in_no_room() {
    fails(
        floors::findings,
        &[("crates/server/src/new.rs", "//! x\n")],
        "crates/server/src/new.rs",
        "in no room",
    );
    fails(floors::findings, &[("crates/new/src/lib.rs", "//! x\n")], "crates/new/src/lib.rs", "no floor");
    let said = super::said(floors::empty_rooms, &[("crates/cli/src/main.rs", "//! x\n")]);
    assert!(said.iter().any(|said| said.starts_with("crates/cli/src/trace: ")), "{said:?}");
}

/// The file `lib.rs` that declares them, and the files with their texts.
fn media<'a>(face: &'a str, files: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("crates/media/src/lib.rs", face)], files].concat()
}

#[test]
fn circles_however_they_are_written() {
    let (a, b) = ("crates/media/src/a.rs", "crates/media/src/b.rs");
    let text = "use crate::b::B;\npub struct A;\n";
    for back in [
        "use crate::a::A;\n",
        "use super::a::A;\n",
        "use crate::{c::C, a::{self, A}};\nfn f(_: a::A) {}\n",
        "fn f(_: super::a::A) {}\n",
        "use crate::a;\nfn f(_: a::A) {}\n",
        "use crate::A;\n",
        "use crate::a::*;\n",
        "fn f() { use crate::a::A; }\n",
    ] {
        let back = format!("{back}pub struct B;\n");
        let files = media("mod a;\nmod b;\npub use a::A;\n", &[(a, text), (b, &back)]);
        fails(circles::findings, &files, "crates/media/src/a.rs:1", "a circle");
    }
    let test = "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n";
    holds(circles::findings, &media("mod a;\nmod b;\n", &[(a, text), (b, test)]));
}

#[test]
fn a_circle_of_three_through_a_deep_re_export() {
    let files = media(
        "mod a;\nmod b;\nmod c;\n",
        &[
            ("crates/media/src/a.rs", "use crate::b::Deep;\npub struct A;\n"),
            ("crates/media/src/b/mod.rs", "mod inner;\npub use inner::Deep;\n"),
            ("crates/media/src/b/inner.rs", "use crate::c::C;\npub struct Deep;\n"),
            ("crates/media/src/c.rs", "use super::a::A;\npub struct C;\n"),
        ],
    );
    fails(circles::findings, &files, "crates/media/src/a.rs:1", "c.rs:1 needs crates/media/src/a.rs");
}

#[test]
fn a_parent_and_its_only_child_are_one_thing() {
    let parent = ("crates/media/src/a.rs", "mod child;\nuse child::Child;\npub struct A;\n");
    let child = ("crates/media/src/a/child.rs", "use super::A;\npub struct Child;\n");
    holds(circles::findings, &media("mod a;\n", &[parent, child]));
    let third = ("crates/media/src/b.rs", "use crate::a::child::Child;\n");
    let files = media("mod a;\nmod b;\n", &[parent, child, third]);
    fails(circles::findings, &files, "crates/media/src/a.rs:2", "a circle");
    // Children that call each other are not.
    let parent = ("crates/media/src/a.rs", "mod child;\nmod other;\nuse child::Child;\npub struct A;\n");
    let other = ("crates/media/src/a/other.rs", "use super::child::Child;\n");
    fails(
        circles::findings,
        &media("mod a;\n", &[parent, child, other]),
        "crates/media/src/a.rs:3",
        "a circle",
    );
}

#[test]
fn a_file_that_no_module_declares() {
    let files = media("mod a;\n", &[("crates/media/src/a.rs", ""), ("crates/media/src/b.rs", "")]);
    fails(circles::findings, &files, "crates/media/src/b.rs", "no `mod` leads here");
}
