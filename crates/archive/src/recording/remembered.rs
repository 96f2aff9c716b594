//! What all recordings remember of the numbers that their streams' segments had.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use headwater_hub::StreamName;

use super::appended::NOTE_AT;
use super::repair::{DEPTH_MAX, is_recording};
use crate::numbers::{NOTE_LEN, Numbers};

/// Streams whose numbers are remembered, at most; others begin with the clock.
pub(crate) const NAMES_MAX: usize = 100_000;

/// Of each stream that has recordings below `directory`, where its numbers go on. It opens each of them.
pub(crate) fn numbers_below(directory: &Path) -> HashMap<StreamName, Numbers> {
    let mut all: HashMap<StreamName, Numbers> = HashMap::new();
    let mut open = vec![(directory.to_owned(), 0)];
    while let Some((directory, depth)) = open.pop() {
        let Ok(listing) = fs::read_dir(&directory) else { continue };
        for entry in listing.flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_dir() && depth < DEPTH_MAX {
                open.push((path, depth + 1));
            } else if kind.is_file()
                && is_recording(&path)
                && let Ok(Some((name, numbers))) = of_file(&path)
                && (all.len() < NAMES_MAX || all.contains_key(&name))
            {
                let known = all.entry(name).or_default();
                *known = known.max(numbers);
            }
        }
    }
    all
}

/// Whose note a file has, and where to go on behind it.
fn of_file(path: &Path) -> io::Result<Option<(StreamName, Numbers)>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(NOTE_AT))?;
    let mut note = Vec::with_capacity(NOTE_LEN as usize);
    file.take(NOTE_LEN).read_to_end(&mut note)?;
    Ok(Numbers::of_note(&note))
}
