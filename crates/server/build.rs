//! Builds the web pages of `console/` into the binary, with no step by hand.
//!
//! With Node.js and npm at hand, the sources are copied to `OUT_DIR/console`, built there by Vite, and written
//! as a table of Rust (`OUT_DIR/assets.rs`) that `src/doors/http/assets.rs` includes. The source tree is never
//! written to. Without them, or when npm fails, the build goes on: a warning says why, and the table holds one
//! page that says how to mend it. `HEADWATER_CONSOLE=skip` asks for that page outright.
//!
//! Runs again only when a file of the pages changes, so that work on the server never waits for npm; and the
//! packages are installed anew only when the lock file changes.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What of `console/` goes into the build. Tests and the fake server do not.
const SOURCES: [&str; 11] = [
    ".npmrc",
    "index.html",
    "pack.mjs",
    "package-lock.json",
    "package.json",
    "public",
    "src",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
    "watch.html",
];
/// The endings under which `pack.mjs` lays a file's packed forms beside it, and what they are.
const PACKED: [(&str, &str); 2] = [(".br", "Brotli"), (".gz", "Gzip")];
const MISSING_PAGE: &str = "console-missing.html";
const SWITCH: &str = "HEADWATER_CONSOLE";
/// Node.js before this cannot run Vite.
const OLDEST_NODE: (u32, u32) = (20, 19);
const REASON_LINES: usize = 4;

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let console = here.join("../../console");
    declare_inputs(&here, &console);

    let table = match build_pages(&console, &out.join("console")) {
        Ok(dist) => table_of_pages(&dist)?,
        Err(reason) => {
            println!("cargo::warning=the web pages are not in this build: {}", one_line(&reason));
            table_of_missing_page(&here, &out, &reason)?
        }
    };
    fs::write(out.join("assets.rs"), table)
}

fn declare_inputs(here: &Path, console: &Path) {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", here.join(MISSING_PAGE).display());
    println!("cargo::rerun-if-env-changed={SWITCH}");
    // A path that is not there would make cargo build anew every time.
    if !console.join("package.json").exists() {
        return;
    }
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", console.join(source).display());
    }
}

/// The folder of the finished pages, or the reason why there are none.
fn build_pages(console: &Path, work: &Path) -> Result<PathBuf, String> {
    if env::var(SWITCH).is_ok_and(|value| value == "skip") {
        return Err(format!("{SWITCH}=skip was set when it was built."));
    }
    if !console.join("package.json").exists() {
        return Err("The folder console/ was not there when it was built.".into());
    }
    find_node()?;
    copy_sources(console, work).map_err(|error| format!("Copying console/ failed: {error}"))?;
    install_packages(work)?;
    let dist = work.join("dist");
    run(npm(work).args(["run", "--silent", "build"]), "npm run build")?;
    if dist.join("index.html").exists() { Ok(dist) } else { Err("Vite ran, but made no index.html.".into()) }
}

fn find_node() -> Result<(), String> {
    let output = Command::new("node").arg("--version").output();
    let version = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => return Err("Node.js (the command `node`) was not found.".into()),
    };
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST_NODE {
        let (major, minor) = OLDEST_NODE;
        return Err(format!("Node.js {version} is too old; {major}.{minor} or newer is needed."));
    }
    Ok(())
}

/// What was removed from the sources must not linger in the copy; `node_modules` stays.
fn copy_sources(console: &Path, work: &Path) -> io::Result<()> {
    fs::create_dir_all(work)?;
    for source in SOURCES {
        let (from, to) = (console.join(source), work.join(source));
        if from.is_dir() {
            if to.exists() {
                fs::remove_dir_all(&to)?;
            }
            copy_folder(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// `npm ci`, unless the packages of this very lock file are installed already.
fn install_packages(work: &Path) -> Result<(), String> {
    let stamp = work.join("node_modules/.headwater-installed");
    let wanted = ["package.json", "package-lock.json", ".npmrc"]
        .map(|name| fs::read(work.join(name)).unwrap_or_default())
        .concat();
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let arguments = ["ci", "--omit=dev", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
    run(npm(work).args(arguments), "npm ci")?;
    fs::write(&stamp, wanted).map_err(|error| format!("Writing {} failed: {error}", stamp.display()))
}

fn npm(work: &Path) -> Command {
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.current_dir(work).env("NODE_ENV", "production").env("CI", "1").env("NO_COLOR", "1");
    // Warnings about the builder's own npm settings are not the reason of a failure.
    command.env("npm_config_loglevel", "error");
    command
}

/// The first lines of what a failed command said are the reason; the whole goes to cargo's own log. The reason
/// is shown to visitors too, so no folder of this machine is named in it.
fn run(command: &mut Command, name: &str) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("`{name}` could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{out}\n{err}");
    let folder = command.get_current_dir().unwrap_or_else(|| Path::new(".")).display().to_string();
    let said: Vec<&str> = err.lines().chain(out.lines()).filter(|line| !line.trim().is_empty()).collect();
    let start = said[..said.len().min(REASON_LINES)].join("\n").replace(&folder, "console");
    Err(format!("`{name}` failed ({}):\n{start}", output.status))
}

fn table_of_pages(dist: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    list_files(dist, &mut files)?;
    files.sort();
    let mut table = String::from("pub(crate) const COMPLETE: bool = true;\n\nstatic TABLE: &[Asset] = &[\n");
    for file in files {
        let name = file.strip_prefix(dist).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        if PACKED.iter().any(|(ending, _)| name.ends_with(ending)) {
            continue;
        }
        // Vite puts a hash of the content into the names of these files, and of no others.
        let immutable = name.starts_with("assets/");
        write_row(&mut table, &format!("/{name}"), &file, immutable)?;
    }
    table.push_str("];\n");
    Ok(table)
}

fn table_of_missing_page(here: &Path, out: &Path, reason: &str) -> io::Result<String> {
    let page = fs::read_to_string(here.join(MISSING_PAGE))?.replace("{{reason}}", &escape_html(reason));
    let file = out.join("console-missing.html");
    fs::write(&file, page)?;
    let mut table = String::from("pub(crate) const COMPLETE: bool = false;\n\nstatic TABLE: &[Asset] = &[\n");
    for path in ["/index.html", "/watch.html"] {
        write_row(&mut table, path, &file, false)?;
    }
    table.push_str("];\n");
    Ok(table)
}

/// A file as it is, and its packed forms where they lie beside it.
fn write_row(table: &mut String, path: &str, file: &Path, immutable: bool) -> io::Result<()> {
    let kind = content_type(path);
    let _ = writeln!(
        table,
        "    Asset {{\n        path: {path:?},\n        content_type: {kind:?},\n        \
         immutable: {immutable},\n        forms: &["
    );
    write_form(table, "Identity", file)?;
    for (ending, coding) in PACKED {
        let mut packed = file.as_os_str().to_owned();
        packed.push(ending);
        if Path::new(&packed).exists() {
            write_form(table, coding, Path::new(&packed))?;
        }
    }
    table.push_str("        ],\n    },\n");
    Ok(())
}

fn write_form(table: &mut String, coding: &str, file: &Path) -> io::Result<()> {
    // Of fixed keys, so that the same bytes have the same tag in every build.
    let mut hash = DefaultHasher::new();
    hash.write(&fs::read(file)?);
    let tag = format!("\"{:016x}\"", hash.finish());
    let _ = writeln!(
        table,
        "            Form {{ coding: Coding::{coding}, bytes: include_bytes!({file:?}), etag: {tag:?} }},"
    );
    Ok(())
}

fn list_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list_files(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "map") => "application/json",
        Some("md" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
