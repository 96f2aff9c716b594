//! The modules of all crates, and what a path leads to: through `use`, groups, renamings, `*` and re-exports to
//! the file that defines the thing.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Import, Named, Written, written};
use crate::rust_file::RustFile;

/// Renamings that are followed before a path is taken for a circle.
const DEPTH_MAX: usize = 24;

/// The index of a module in [`Modules`].
pub(crate) type Id = usize;

/// A module: a file, or a part of one.
pub(crate) struct Module {
    pub(crate) file: String,
    pub(crate) parent: Option<Id>,
    /// The first module of its crate.
    root: Id,
    children: BTreeMap<String, Id>,
    /// Where the files of its children lie.
    folder: String,
    pub(crate) written: Written,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Module(Id),
    /// Something that is defined in a module.
    Item(Id, String),
}

/// A file that needs another of the same crate.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) from: String,
    pub(crate) to: String,
    /// Where, and by which words.
    pub(crate) line: usize,
    pub(crate) path: String,
}

#[derive(Default)]
pub(crate) struct Modules {
    pub(crate) all: Vec<Module>,
    /// The first modules of the libraries, by the name that others import.
    libraries: BTreeMap<String, Id>,
}

impl Modules {
    /// Follows `mod name;` from each crate's `lib.rs` and `main.rs`, and marks the files of tests.
    pub(crate) fn new(rust: &mut BTreeMap<String, RustFile>) -> Self {
        mark_tests(rust);
        let mut modules = Self::default();
        let is_root = |path: &&String| path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
        for path in rust.keys().filter(is_root) {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let root = modules.all.len();
            modules.add_file(rust, path, folder, None, root);
            if let Some(name) = path.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/src/lib.rs"))
            {
                modules.libraries.insert(format!("headwater_{}", name.replace('-', "_")), root);
            }
        }
        modules
    }

    /// Adds a file and the modules in it and below it.
    fn add_file(
        &mut self,
        rust: &BTreeMap<String, RustFile>,
        file: &str,
        folder: &str,
        parent: Option<Id>,
        root: Id,
    ) {
        let mut within = BTreeMap::new();
        for (path, written) in written(&rust[file].code) {
            let id = self.all.len();
            let outer = path.split_last().map_or(parent, |(_, outer)| within.get(outer).copied());
            let folder = path.iter().fold(folder.to_owned(), |folder, name| format!("{folder}/{name}"));
            if let (Some(outer), Some(name)) = (outer, path.last()) {
                self.all[outer].children.insert(name.clone(), id);
            }
            let children = BTreeMap::new();
            self.all.push(Module { file: file.to_owned(), parent: outer, root, children, folder, written });
            within.insert(path, id);
        }
        for id in within.into_values() {
            for name in self.all[id].written.files.clone() {
                let folder = format!("{}/{name}", self.all[id].folder);
                let places = [format!("{folder}.rs"), format!("{folder}/mod.rs")];
                if let Some(place) = places.iter().find(|place| rust.contains_key(*place)) {
                    let child = self.all.len();
                    self.all[id].children.insert(name, child);
                    self.add_file(rust, place, &folder, Some(id), root);
                }
            }
        }
    }

    /// Files that a `mod` leads to.
    pub(crate) fn files(&self) -> BTreeSet<&str> {
        self.all.iter().map(|module| module.file.as_str()).collect()
    }

    /// The module that a file is.
    pub(crate) fn of_file(&self, file: &str) -> Option<Id> {
        self.all.iter().position(|module| module.file == file)
    }

    /// What `path`, written in module `from`, leads to; nothing if it leaves our crates.
    pub(crate) fn resolve(&self, from: Id, path: &[String]) -> Option<Target> {
        self.follow(from, path, DEPTH_MAX)
    }

    fn follow(&self, from: Id, path: &[String], depth: usize) -> Option<Target> {
        let depth = depth.checked_sub(1)?;
        let (first, mut rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(self.all[from].root),
            "self" => Target::Module(from),
            "super" => Target::Module(self.all[from].parent?),
            name => match self.look_up(from, name, depth) {
                Some(target) => target,
                None => Target::Module(*self.libraries.get(name)?),
            },
        };
        while let (Target::Module(module), Some((name, more))) = (&target, rest.split_first()) {
            target = match name.as_str() {
                "super" => Target::Module(self.all[*module].parent?),
                // What a macro defines is not seen; it is taken to be where it is looked for.
                name => self
                    .look_up(*module, name, depth)
                    .unwrap_or_else(|| Target::Item(*module, name.to_owned())),
            };
            rest = more;
        }
        Some(target)
    }

    /// What `name` alone means in a module, if it means something of ours.
    fn look_up(&self, module: Id, name: &str, depth: usize) -> Option<Target> {
        let here = &self.all[module];
        if let Some(child) = here.children.get(name) {
            return Some(Target::Module(*child));
        }
        if here.written.items.contains(name) {
            return Some(Target::Item(module, name.to_owned()));
        }
        let imports = &here.written.imports;
        // `use name::…` itself must not lead back to itself.
        let named = imports.iter().filter(|import| import.name.as_deref() == Some(name));
        let mut named = named.filter(|import| import.path.first().map(String::as_str) != Some(name));
        if let Some(target) = named.find_map(|import| self.follow(module, &import.path, depth)) {
            return Some(target);
        }
        let depth = depth.checked_sub(1)?;
        imports.iter().filter(|import| import.name.is_none()).find_map(|import| {
            match self.follow(module, &import.path, depth)? {
                Target::Module(other) if other != module => self.look_up(other, name, depth),
                _ => None,
            }
        })
    }

    /// Which file needs which, within each crate. A re-export that its own file does not use is a signpost, not
    /// a need.
    pub(crate) fn edges(&self) -> Vec<Edge> {
        let mut found = Vec::new();
        for (id, module) in self.all.iter().enumerate() {
            let mut add = |target: Option<Target>, line: usize, path: &[String]| {
                if let Some(Target::Item(to, _)) = target
                    && self.all[to].root == module.root
                    && self.all[to].file != module.file
                {
                    let (from, to) = (module.file.clone(), self.all[to].file.clone());
                    found.push(Edge { from, to, line, path: path.join("::") });
                }
            };
            for Import { path, name, is_public, line } in &module.written.imports {
                let target = self.resolve(id, path);
                match (name, target) {
                    (None, Some(Target::Module(of))) if !is_public => {
                        add(Some(Target::Item(of, "*".to_owned())), *line, path);
                    }
                    (Some(name), target) if !is_public || module.written.words.contains(name) => {
                        add(target, *line, path);
                    }
                    _ => {}
                }
            }
            for Named { path, line } in &module.written.named {
                add(self.resolve(id, path), *line, path);
            }
        }
        found
    }
}

/// Marks what only tests are made of: everything outside `src`, and modules of modules of tests.
fn mark_tests(rust: &mut BTreeMap<String, RustFile>) {
    let mut open = Vec::new();
    for (path, file) in rust.iter_mut() {
        file.is_test |= ["/tests/", "/examples/", "/benches/"].iter().any(|folder| path.contains(folder))
            && !path.contains("/src/");
        open.extend(file.test_modules.iter().flat_map(|name| places(path, name)));
        if file.is_test {
            open.extend(declared(file).flat_map(|name| places(path, &name)).collect::<Vec<_>>());
        }
    }
    while let Some(path) = open.pop() {
        if let Some(file) = rust.get_mut(&path)
            && !file.is_test
        {
            file.is_test = true;
            open.extend(declared(file).flat_map(|name| places(&path, &name)));
        }
    }
}

fn declared(file: &RustFile) -> impl Iterator<Item = String> {
    written(&file.all).into_values().flat_map(|written| written.files)
}

/// Where `mod name;` in the file at `path` may lie.
fn places(path: &str, name: &str) -> [String; 2] {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = match file {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    };
    [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]
}
