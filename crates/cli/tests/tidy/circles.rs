//! No file imports in a circle. A parent and the child that it alone calls are one thing in two files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::modules::Edge;
use crate::tree::{Finding, Tree, in_crate};

/// Files that are not in the tree of modules, and circles between those that are.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let known = tree.modules.files();
    let in_room = |path: &&str| in_crate(path).is_some_and(|(_, rest)| !rest.starts_with("bin/"));
    let lost = tree.sources().map(|(path, _)| path).filter(in_room).filter(|path| !known.contains(path));
    let lost = lost.map(|path| Finding::new(path, 0, "no `mod` leads here", "declare the file or delete it"));
    lost.chain(circles(tree)).collect()
}

fn circles(tree: &Tree) -> Vec<Finding> {
    let edges: Vec<Edge> = tree.modules.edges();
    let arrows: BTreeSet<(&str, &str)> = edges.iter().map(|e| (e.from.as_str(), e.to.as_str())).collect();
    let merged = merge_only_children(tree, &arrows);
    let name = |file| one_thing(&merged, file);
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in &arrows {
        if name(from) != name(to) {
            graph.entry(name(from)).or_default().insert(name(to));
        }
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for start in graph.keys() {
        let Some(circle) = shortest_circle(&graph, start).filter(|_| !seen.contains(start)) else { continue };
        seen.extend(circle.iter().copied());
        let next = circle.iter().cycle().skip(1);
        let steps: Vec<&Edge> = circle
            .iter()
            .zip(next)
            .filter_map(|(a, b)| edges.iter().find(|e| name(&e.from) == *a && name(&e.to) == *b))
            .collect();
        let Some(first) = steps.first() else { continue };
        let said: Vec<String> =
            steps.iter().map(|e| format!("{}:{} needs {} ({})", e.from, e.line, e.to, e.path)).collect();
        found.push(Finding::new(
            &first.from,
            first.line,
            format!("a circle: {}", said.join(", ")),
            "move what both need into a file below them",
        ));
    }
    found
}

/// Which child stands for one thing with its parent: it imports the parent, the parent it, and nobody else it.
fn merge_only_children<'a>(
    tree: &'a Tree,
    arrows: &BTreeSet<(&'a str, &'a str)>,
) -> BTreeMap<&'a str, &'a str> {
    let mut pairs: Vec<(&str, &str)> = tree
        .modules
        .all
        .iter()
        .filter_map(|child| Some((tree.modules.all[child.parent?].file.as_str(), child.file.as_str())))
        .filter(|(parent, child)| parent != child)
        .collect();
    // The deepest first: a grandchild is one with its parent before that is one with its own.
    pairs.sort_by_key(|(_, child)| std::cmp::Reverse(child.matches('/').count()));
    let mut merged = BTreeMap::new();
    for (parent, child) in pairs {
        let is_one = |file: &str| one_thing(&merged, file) == child;
        let calls_back = arrows.iter().any(|(from, to)| is_one(from) && *to == parent);
        let is_called = |by: &str| arrows.iter().any(|(from, to)| *from == by && is_one(to));
        let others =
            arrows.iter().filter(|(from, to)| is_one(to) && !is_one(from) && *from != parent).count();
        if calls_back && is_called(parent) && others == 0 {
            merged.insert(child, parent);
        }
    }
    merged
}

fn one_thing<'a>(merged: &BTreeMap<&'a str, &'a str>, mut file: &'a str) -> &'a str {
    while let Some(parent) = merged.get(file) {
        file = parent;
    }
    file
}

/// The shortest way from `start` back to it.
fn shortest_circle<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> Option<Vec<&'a str>> {
    let mut from = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(file) = open.pop_front() {
        for next in graph.get(file).into_iter().flatten().copied() {
            if next == start {
                let mut way = vec![file];
                while way[way.len() - 1] != start {
                    way.push(from[way[way.len() - 1]]);
                }
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(next) {
                from.insert(next, file);
                open.push_back(next);
            }
        }
    }
    None
}
