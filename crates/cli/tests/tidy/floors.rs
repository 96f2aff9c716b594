//! Arrows run down only: between crates, and between the rooms of a crate. Every file is in exactly one room.

use std::collections::{BTreeMap, BTreeSet};

use crate::lexer::Kind;
use crate::rust_file::RustFile;
use crate::tables::{ALL, CRATES, Crate, DRIVERS, ROOMS, Room};
use crate::tree::{Finding, Tree, in_crate};

/// Every broken arrow.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut found = rooms(tree);
    found.extend(manifests(tree));
    for (path, file) in tree.sources() {
        let Some(floor) = in_crate(path).and_then(|(name, _)| floor(name)) else { continue };
        found.extend(foreign_crates(path, file, floor));
        let room = room(path);
        if !room.is_some_and(|room| DRIVERS.contains(&room.name)) {
            found.extend(banned_paths(tree, path, floor.never, floor.why));
        }
        if let Some(room) = room {
            found.extend(banned_paths(tree, path, room.never, room.why));
        }
    }
    found.extend(arrows(tree));
    found
}

fn floor(name: &str) -> Option<&'static Crate> {
    CRATES.iter().find(|floor| floor.name == name)
}

/// The room of a file, if it is in exactly one.
fn room(path: &str) -> Option<&'static Room> {
    match rooms_of(path)[..] {
        [room] => Some(room),
        _ => None,
    }
}

fn rooms_of(path: &str) -> Vec<&'static Room> {
    let Some((krate, rest)) = in_crate(path) else { return Vec::new() };
    ROOMS.iter().filter(|room| room.krate == krate && room.places.iter().any(|p| lies_in(rest, p))).collect()
}

fn lies_in(rest: &str, place: &str) -> bool {
    rest == place || rest.strip_prefix(place).is_some_and(|end| end == ".rs" || end.starts_with('/'))
}

fn rooms(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, _) in tree.sources() {
        let (krate, rest) = in_crate(path).unwrap_or_default();
        if floor(krate).is_none() {
            found.push(Finding::new(path, 0, format!("no floor has the crate {krate}"), "add it to CRATES"));
            continue;
        }
        match &rooms_of(path)[..] {
            [_] => {}
            [] => found.push(Finding::new(
                path,
                0,
                "the file is in no room",
                format!("add its module to the row of ROOMS ({krate}) that may name what {rest} names"),
            )),
            many => found.push(Finding::new(
                path,
                0,
                format!("the file is in {} rooms", many.len()),
                format!("keep one of {}", many.iter().map(|room| room.name).collect::<Vec<_>>().join(", ")),
            )),
        }
    }
    found
}

/// Places of the table that hold no file.
pub(crate) fn empty_rooms(tree: &Tree) -> Vec<Finding> {
    let files: BTreeSet<(&str, &str)> = tree.sources().filter_map(|(path, _)| in_crate(path)).collect();
    let is_empty = |room: &Room, place: &str| {
        files.iter().any(|(krate, _)| *krate == room.krate)
            && !files.iter().any(|(krate, rest)| *krate == room.krate && lies_in(rest, place))
    };
    let mut found = Vec::new();
    for room in ROOMS {
        for place in room.places.iter().filter(|place| is_empty(room, place)) {
            let path = format!("crates/{}/src/{place}", room.krate);
            found.push(Finding::new(
                &path,
                0,
                format!("{} has it, and nothing is there", room.name),
                "strike it",
            ));
        }
    }
    found
}

/// Dependencies in `Cargo.toml`, those of tests and builds included.
fn manifests(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for floor in CRATES {
        let path = format!("crates/{}/Cargo.toml", floor.name);
        let mut section = "";
        for (line, text) in tree.text(&path).lines().zip(1..).map(|(text, line)| (line, text.trim())) {
            if text.starts_with('[') {
                section = text;
            }
            let other = text.strip_prefix("headwater-").filter(|_| section.contains("dependencies"));
            let Some(other) = other.and_then(|rest| rest.split(['.', ' ', '=']).next()) else { continue };
            if !floor.may.contains(&other) {
                found.push(wrong_arrow(&path, line, floor, other));
            }
        }
    }
    found
}

fn wrong_arrow(path: &str, line: usize, floor: &Crate, other: &str) -> Finding {
    let may = if floor.may.is_empty() { "nothing of ours".to_owned() } else { floor.may.join(", ") };
    let wrong = format!("{} names {other}: {}", floor.name, floor.why);
    Finding::new(path, line, wrong, format!("it may name {may}; move what is needed down"))
}

fn foreign_crates(path: &str, file: &RustFile, floor: &Crate) -> Vec<Finding> {
    let words = file.code.iter().filter(|token| token.kind == Kind::Word);
    let others = words.filter_map(|token| Some((token.line, token.text.strip_prefix("headwater_")?)));
    others
        .filter(|(_, other)| CRATES.iter().any(|known| known.name == *other))
        .filter(|(_, other)| *other != floor.name && !floor.may.contains(other))
        .map(|(line, other)| wrong_arrow(path, line, floor, other))
        .collect()
}

/// Paths of a file, imported or named in place, that begin with one of `never`.
fn banned_paths(tree: &Tree, path: &str, never: &[&str], why: &str) -> Vec<Finding> {
    let mut found = BTreeSet::new();
    for module in tree.modules.all.iter().filter(|module| module.file == path && !never.is_empty()) {
        let imports = &module.written.imports;
        let mut said: Vec<(String, bool, usize)> =
            imports.iter().map(|i| (i.path.join("::"), i.name.is_none(), i.line)).collect();
        for named in &module.written.named {
            // After `use std::time`, `time::Instant` is `std::time::Instant`.
            let before = imports.iter().find(|import| import.name.as_deref() == Some(&named.path[0]));
            let before = before.map_or(&named.path[..1], |import| &import.path[..]);
            said.push(([before, &named.path[1..]].concat().join("::"), false, named.line));
        }
        for (said, is_glob, line) in said {
            let is_banned = |ban: &&&str| {
                let begins = said == **ban || said.starts_with(&format!("{ban}::"));
                begins || (is_glob && ban.starts_with(&format!("{said}::")))
            };
            if let Some(ban) = never.iter().find(is_banned) {
                found.insert(Finding::new(path, line, format!("names {said}: {why}"), mend(ban)));
            }
        }
    }
    found.into_iter().collect()
}

fn mend(ban: &str) -> String {
    format!("take as an argument what {ban} would give, or do it on a floor above")
}

/// Arrows between the rooms of a crate: the first of each file to each room.
fn arrows(tree: &Tree) -> Vec<Finding> {
    let mut found = BTreeMap::new();
    for edge in tree.modules.edges() {
        let (Some(from), Some(to)) = (room(&edge.from), room(&edge.to)) else { continue };
        let is_allowed = from.name == to.name || from.may.iter().any(|may| *may == to.name || *may == ALL);
        if !is_allowed {
            let wrong = format!("{} names {} ({}): {}", from.name, to.name, edge.path, from.why);
            let mend =
                format!("move what both need into a room that {} may name: {}", from.name, list(from.may));
            let finding = Finding::new(&edge.from, edge.line, wrong, mend);
            found.entry((edge.from, to.name)).or_insert(finding);
        }
    }
    found.into_values().collect()
}

fn list(rooms: &[&str]) -> String {
    if rooms.is_empty() { "its own alone".to_owned() } else { rooms.join(", ") }
}
