//! Whether the directories of a configuration can be used: asked by `check`, which tries it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use anyhow::bail;

/// Looks at the directory that the server writes to. One that is missing is made at the start.
///
/// # Errors
/// What is in its way.
pub(super) fn check_data(data: &Path) -> anyhow::Result<()> {
    let shown = data.display();
    let mut there = data;
    while let (Err(error), Some(parent)) = (fs::metadata(there), there.parent())
        && error.kind() == io::ErrorKind::NotFound
    {
        there = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    }
    must_be_a_directory("data", there)?;
    let Err(error) = try_to_write(there) else { return Ok(()) };
    if there == data {
        bail!(
            "data = \"{shown}\": nothing can be written there ({error}). Use another directory, or change whose it is"
        );
    }
    bail!(
        "data = \"{shown}\" is missing and cannot be made in {} ({error}). Make it, or use another directory",
        there.display()
    )
}

/// Looks at a directory of films: what of it may surprise.
///
/// # Errors
/// It is missing, although somebody has named it; or it cannot be read.
pub(super) fn check_media(media: &Path, is_default: bool, is_written: bool) -> anyhow::Result<Vec<String>> {
    let shown = media.display();
    if !media.exists() {
        if is_default {
            return Ok(vec![format!("{shown} is missing: there are no films until it is made")]);
        }
        bail!("the directory of films {shown} is missing. Make it, or name another one");
    }
    must_be_a_directory("media", media)?;
    if let Err(error) = fs::read_dir(media) {
        bail!(
            "the directory of films {shown} cannot be read ({error}). Change whose it is, or name another one"
        );
    }
    match try_to_write(media) {
        Err(error) if is_written => {
            Ok(vec![format!("{shown} cannot be written ({error}): films can be watched there, not uploaded")])
        }
        _ => Ok(Vec::new()),
    }
}

fn must_be_a_directory(key: &str, path: &Path) -> anyhow::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => bail!("{key}: {} is a file, and no directory. Name a directory", path.display()),
        Err(error) => bail!("{key}: {} cannot be looked at ({error})", path.display()),
    }
}

/// Makes a file and removes it: what the rights say is not the whole truth where a file system is read-only or full.
fn try_to_write(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".headwater-check-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&path)?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_no_directory_or_closed_is_named() {
        let place = std::env::temp_dir().join(format!("headwater-directories-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let file = place.join("file");
        fs::write(&file, "").unwrap();
        let says = |checked: anyhow::Result<Vec<String>>| format!("{:#}", checked.unwrap_err());
        let data = |path: &Path| says(check_data(path).map(|()| Vec::new()));

        check_data(&place).unwrap();
        check_data(&place.join("not/yet/there")).unwrap();
        assert!(!place.join("not").exists(), "a check makes nothing");
        assert!(data(&file).contains("is a file, and no directory"));
        assert!(data(&file.join("below")).contains("cannot be looked at"), "{}", data(&file.join("below")));
        // Not even root writes there.
        let closed = Path::new("/proc/self");
        if closed.exists() {
            assert!(data(closed).contains("nothing can be written there"), "{}", data(closed));
            let below = data(&closed.join("below"));
            assert!(below.contains("is missing and cannot be made in /proc/self"), "{below}");
            let notes = check_media(closed, false, true).unwrap();
            assert!(notes[0].contains("not uploaded"), "{notes:?}");
            assert!(check_media(closed, false, false).unwrap().is_empty());
        }

        assert!(check_media(&place, false, true).unwrap().is_empty());
        assert!(says(check_media(&place.join("films"), false, true)).contains("films is missing. Make it"));
        assert!(
            check_media(&place.join("films"), true, true).unwrap()[0].contains("there are no films until")
        );
        assert!(says(check_media(&file, true, true)).contains("is a file, and no directory"));
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "a check leaves nothing behind");
        fs::remove_dir_all(&place).unwrap();
    }
}
