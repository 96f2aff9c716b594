//! Names that lead to films, and names that lead nowhere.

use super::*;
use crate::blob::Blob;

/// A directory of its own with a film, one in a folder, one hidden, and a file outside.
struct Films(PathBuf);

impl Films {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("headwater-media-root-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("films/Süd see")).unwrap();
        for file in ["films/a.mp4", "films/a.flv", "films/Süd see/b.F4V", "films/.hidden.mp4", "films/a.vtt"]
        {
            fs::write(root.join(file), file).unwrap();
        }
        for file in ["outside.mp4", "films/notes.txt"] {
            fs::write(root.join(file), "secret").unwrap();
        }
        Self(root)
    }

    fn root(&self, follow_symlinks: bool) -> MediaRoot {
        MediaRoot { directory: self.0.join("films"), follow_symlinks }
    }
}

impl Drop for Films {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_film_is_found_by_every_form_of_its_name() {
    let films = Films::new("forms");
    let root = films.root(false);
    for (name, file) in [
        ("a.mp4", "a.mp4"),
        ("a", "a.mp4"),
        ("mp4:a", "a.mp4"),
        ("mp4:a.mp4", "a.mp4"),
        ("flv:a", "a.flv"),
        ("a.flv", "a.flv"),
        ("f4v:a", "a.mp4"),
        ("Süd see/b.F4V", "Süd see/b.F4V"),
    ] {
        assert_eq!(root.find(name).as_deref(), Ok(file), "{name}");
    }
    for name in ["b", "c.mp4", "Süd see", "mp4:", "a.mp4/a.mp4", "notes", "flv:notes.txt"] {
        assert!(
            matches!(root.find(name), Err(Refusal { kind: RefusalKind::NotFound, .. })),
            "{name}: {:?}",
            root.find(name)
        );
    }
}

#[test]
fn files_of_other_containers_are_listed_until_a_film_is_made_of_them() {
    let films = Films::new("foreign");
    let root = films.root(false);
    for file in ["b.mkv", "Süd see/c.AVI", "a.webm", "notes.mkv.txt", ".hidden.mkv"] {
        fs::write(films.0.join("films").join(file), file).unwrap();
    }
    let names = || -> Vec<String> { root.list(100).unwrap().0.into_iter().map(|entry| entry.name).collect() };
    // Of a.webm there is a.mp4 already.
    assert_eq!(names(), ["Süd see/b.F4V", "Süd see/c.AVI", "a.flv", "a.mp4", "b.mkv"]);
    let refusal = root.find("b.mkv").unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NoMedia);
    assert!(refusal.text.contains("Matroska") && refusal.text.contains("ffmpeg -i b.mkv "), "{refusal}");
    assert_eq!(root.find("c.mkv").unwrap_err().kind, RefusalKind::NotFound);
    assert!(root.open("b.mkv").is_err(), "its bytes are not served");
    fs::write(films.0.join("films/b.mp4"), "made").unwrap();
    assert!(!names().contains(&"b.mkv".to_owned()));
}

#[test]
fn nothing_outside_and_nothing_hidden_is_served() {
    let films = Films::new("attacks");
    let root = films.root(false);
    let long = "x/".repeat(600) + "a.mp4";
    for name in [
        "../outside.mp4",
        "Süd see/../../outside.mp4",
        "./a.mp4",
        "/a.mp4",
        "//a.mp4",
        "a//b.mp4",
        "a.mp4/",
        "",
        ".hidden.mp4",
        "..\\outside.mp4",
        "a\0.mp4",
        "a\n.mp4",
        long.as_str(),
    ] {
        assert!(root.open(name).is_err(), "{name:?}");
        assert!(root.find(name).is_err(), "{name:?}");
    }
    assert!(matches!(root.open("notes.txt"), Err(Refusal { kind: RefusalKind::NotFound, .. })));
    assert_eq!(root.open("a.vtt").unwrap().size(), "films/a.vtt".len() as u64);
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_followed_only_if_allowed() {
    use std::os::unix::fs::symlink;
    let films = Films::new("links");
    let inside = films.0.join("films");
    symlink(films.0.join("outside.mp4"), inside.join("link.mp4")).unwrap();
    symlink(&films.0, inside.join("way")).unwrap();
    symlink(inside.join("a.mp4"), inside.join("twin.mp4")).unwrap();
    for name in ["link.mp4", "way/outside.mp4", "way/films/a.mp4", "twin.mp4"] {
        let refusal = films.root(false).open(name).unwrap_err();
        assert!(refusal.kind == RefusalKind::Forbidden, "{name}: {refusal}");
        assert!(films.root(true).open(name).is_ok(), "{name}");
    }
}

#[test]
fn the_list_has_every_film_once_and_no_more_than_asked_for() {
    let films = Films::new("list");
    let (entries, more) = films.root(false).list(10).unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!((names, more), (vec!["Süd see/b.F4V", "a.flv", "a.mp4"], false));
    let (entries, more) = films.root(false).list(2).unwrap();
    assert_eq!((entries.len(), more), (2, true));
    let nowhere = MediaRoot { directory: films.0.join("nowhere"), follow_symlinks: false };
    assert_eq!(nowhere.list(10).unwrap(), (vec![], false));
}
