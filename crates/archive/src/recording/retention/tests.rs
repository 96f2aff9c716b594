//! What policies remove and what stays, and directories that become empty with it.

use std::fs::File;

use super::*;
use crate::recording::tests::{Place, always, usual, written};

#[test]
fn the_oldest_go_first_and_what_is_watched_or_grows_stays() {
    let place = Place::new("retention");
    let broadcast = usual(2);
    for _ in 0..5 {
        let mut recorder = place.recorder(always());
        recorder.write(written(&broadcast.made));
        recorder.finish();
    }
    let mut growing = place.recorder(always());
    growing.write(written(&broadcast.made));
    let now = SystemTime::now();
    let films = place.films();
    let name = |path: &PathBuf| path.strip_prefix(&place.0).unwrap().to_str().unwrap().to_owned();
    for (age, film) in films.iter().enumerate() {
        let modified = now - Duration::from_secs(86_400 * age as u64 + 60);
        File::options().write(true).open(film).unwrap().set_modified(modified).unwrap();
    }
    let grows =
        films.iter().position(|film| headwater_media::mp4::growing::is_growing(&fs::read(film).unwrap()));
    assert!(grows.is_some());
    let spared = name(&films[4]);
    let policy = AppConfig { keep_days: 3, ..always() };
    let removed = retain(&place.0, "live", &policy, now, |name| name == spared);
    let mut expected: Vec<_> =
        [3, 5].iter().filter(|&&at| Some(at) != grows).map(|&at| name(&films[at])).collect();
    expected.sort();
    let mut names: Vec<_> = removed.into_iter().map(|removed| removed.name).collect();
    names.sort();
    assert_eq!(names, expected);
    let left = place.films().len();
    let removed = retain(&place.0, "live", &AppConfig { keep_files: 1, ..always() }, now, |_| false);
    assert_eq!(removed.len(), left - 1 - usize::from(grows != Some(0)));
}

#[test]
fn an_app_that_leads_elsewhere_is_refused_and_nothing_there_is_removed() {
    let place = Place::new("elsewhere");
    let (root, outside) = (place.0.join("recordings"), place.0.join("films"));
    [&root, &outside].iter().for_each(|directory| fs::create_dir_all(directory).unwrap());
    let film = outside.join("film.mp4");
    fs::write(&film, b"somebody's").unwrap();
    fs::write(root.join("film.mp4"), b"of no app").unwrap();
    let policy = AppConfig { keep_bytes: 1, ..always() };
    let absolute = outside.to_str().unwrap();
    for app in ["../films", "..", ".", "", "a/../../films", absolute] {
        let refused = policy.check(app).unwrap_err();
        assert!(refused.contains("is no app"), "{refused}");
        assert!(retain(&root, app, &policy, SystemTime::now(), |_| false).is_empty(), "{app}");
    }
    assert!(film.exists() && root.join("film.mp4").exists());
    for app in ["a/b", "a\\b", "a\nb"] {
        assert!(policy.check(app).is_err(), "{app:?}");
    }
    for app in ["live", "l\u{e9}v", "..a", "a b"] {
        policy.check(app).unwrap();
    }
}

#[test]
fn directories_that_have_become_empty_go_but_for_the_root_and_the_app() {
    let place = Place::new("emptied");
    let there = |path: &str| place.0.join(path).exists();
    for film in ["live/a/b/one.mp4", "live/a/b/two.mp4", "live/a/three.mp4", "live/four.mp4"] {
        fs::create_dir_all(place.0.join(film).parent().unwrap()).unwrap();
        fs::write(place.0.join(film), b"a film").unwrap();
    }
    let remove = |film: &str| {
        fs::remove_file(place.0.join(film)).unwrap();
        remove_emptied(&place.0, film);
    };
    remove("live/a/b/one.mp4");
    assert!(there("live/a/b/two.mp4"));
    remove("live/a/b/two.mp4");
    assert!(!there("live/a/b") && there("live/a/three.mp4"));
    remove("live/a/three.mp4");
    assert!(!there("live/a") && there("live/four.mp4"));
    remove("live/four.mp4");
    assert!(there("live"), "an app's own stays");
    fs::create_dir_all(place.0.join("root/live")).unwrap();
    fs::create_dir_all(place.0.join("outside/empty")).unwrap();
    for elsewhere in ["../outside/empty/x.mp4", "/x/y/z.mp4", "", ".."] {
        remove_emptied(&place.0.join("root"), elsewhere);
    }
    assert!(there("outside/empty") && there("root/live"));

    // By policy, all of them at once.
    for film in ["live/a/b/one.mp4", "live/a/b/c/two.mp4"] {
        fs::create_dir_all(place.0.join(film).parent().unwrap()).unwrap();
        fs::write(place.0.join(film), b"a film").unwrap();
    }
    let removed =
        retain(&place.0, "live", &AppConfig { keep_bytes: 1, ..always() }, SystemTime::now(), |_| false);
    assert_eq!(removed.len(), 2);
    assert!(there("live") && !there("live/a"));
}
