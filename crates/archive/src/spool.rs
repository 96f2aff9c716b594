//! A window's older parts on the disk: files without names, to which parts are appended as they come. Nobody finds them by
//! name, and nothing of them outlives the program: what is kept for good are recordings.
//!
//! A file stays as long as any of its parts is kept. What waits for the disk is called where it may wait.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::disk_use::DiskUse;
use crate::window::{Data, Kept};

/// Where a file ends and another begins. The disk gets room back file by file, and each is a descriptor: five minutes of
/// 5 Mbit/s are three.
const FILE_BYTES: u64 = 64 << 20;
/// How often it is looked how much room there is.
const ROOM_EVERY: Duration = Duration::from_secs(1);
/// Parts that are remembered while the disk is left alone: ten minutes of pictures and sound. Each is a pointer.
const MISSED_MAX: usize = 4_096;
/// How long a disk is left alone that has failed, or is full.
const REST: Duration = Duration::from_secs(10);

/// Writes parts of one window to the disk.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    free_min: u64,
    used: Arc<DiskUse>,
    file: Option<(Arc<File>, u64)>,
    looked: Option<Instant>,
    /// The disk has failed, and is left alone until then.
    rests_until: Option<Instant>,
    /// Parts that were to be written meanwhile.
    missed: VecDeque<Weak<Kept>>,
}

impl Spool {
    pub(crate) const fn new(directory: PathBuf, free_min: u64, used: Arc<DiskUse>) -> Self {
        Self {
            directory,
            free_min,
            used,
            file: None,
            looked: None,
            rests_until: None,
            missed: VecDeque::new(),
        }
    }

    /// Where its files are.
    #[must_use]
    pub const fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// Writes a part that lies in no file yet. After a failure the disk is left alone for a while, and parts stay in memory;
    /// that is no failure again.
    ///
    /// # Errors
    /// The disk's; also where too little of it is free.
    pub fn write(&mut self, kept: &Arc<Kept>) -> io::Result<()> {
        let now = Instant::now();
        if kept.is_written() {
            return Ok(());
        }
        if self.rests_until.is_some_and(|until| now < until) {
            self.miss(kept);
            return Ok(());
        }
        self.rests_until = None;
        let written = self.look_for_room(now).and_then(|()| self.catch_up()).and_then(|()| self.append(kept));
        if written.is_err() {
            self.rests_until = Some(now + REST);
            self.file = None;
            self.miss(kept);
        }
        written
    }

    /// Writes what was missed and is still kept.
    fn catch_up(&mut self) -> io::Result<()> {
        while let Some(missed) = self.missed.front().map(Weak::upgrade) {
            if let Some(kept) = missed.filter(|kept| !kept.is_written()) {
                self.append(&kept)?;
            }
            self.missed.pop_front();
        }
        Ok(())
    }

    fn miss(&mut self, kept: &Arc<Kept>) {
        if self.missed.len() >= MISSED_MAX {
            self.missed.pop_front();
        }
        self.missed.push_back(Arc::downgrade(kept));
    }

    fn look_for_room(&mut self, now: Instant) -> io::Result<()> {
        if self.looked.is_some_and(|looked| now - looked < ROOM_EVERY) {
            return Ok(());
        }
        self.looked = Some(now);
        match headwater_vod::free_bytes(&self.directory).filter(|free| *free < self.free_min) {
            None => Ok(()),
            Some(free) => {
                let text =
                    format!("only {free} bytes are free on the disk, {} are to stay free", self.free_min);
                Err(io::Error::new(io::ErrorKind::StorageFull, text))
            }
        }
    }

    fn append(&mut self, kept: &Kept) -> io::Result<()> {
        let Data::Memory(bytes) = kept.data() else { return Ok(()) };
        let (file, at) = match self.file.take().filter(|(_, len)| *len < FILE_BYTES) {
            Some(open) => open,
            None => (Arc::new(self.begin()?), 0),
        };
        write_all_at(&file, &bytes, at)?;
        let len = bytes.len() as u64;
        self.used.add(len);
        kept.is_spooled_to(&file, at, &self.used);
        self.file = Some((file, at + len));
        Ok(())
    }

    fn begin(&self) -> io::Result<File> {
        std::fs::create_dir_all(&self.directory)?;
        tempfile::tempfile_in(&self.directory)
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

/// Reading moves the place in the file here, so that it is set anew for each part.
#[cfg(not(unix))]
fn write_all_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use headwater_hub::StreamName;
    use headwater_media::Timestamp;
    use headwater_vod::Blob as _;

    use super::*;
    use crate::parts::tests::{AAC, Broadcast, sound, video};
    use crate::window::{InAll, Lookup, Window, WindowConfig};

    fn window(config: WindowConfig) -> Window {
        let name = StreamName::parse("live/cam").unwrap();
        Window::new(name, 1, SystemTime::UNIX_EPOCH, config, 0, InAll::default())
    }

    fn broadcast(seconds: i64) -> Broadcast {
        let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
        broadcast.play(0, seconds * 1000, 40.0, 50);
        broadcast.end()
    }

    #[test]
    fn older_parts_leave_memory_for_the_disk_and_read_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let window = window(WindowConfig::default());
        let mut spool = Spool::new(directory.path().to_owned(), 0, Arc::clone(window.disk_use()));
        let broadcast = broadcast(120);
        for made in &broadcast.made {
            for kept in window.take(vec![made.clone()]) {
                spool.write(&kept).unwrap();
            }
        }
        let mut on_disk = 0;
        for (ordinal, (_, bytes)) in (0..).zip(broadcast.parts_and_bytes()) {
            let Lookup::Part(kept) = window.lookup(ordinal) else { panic!("{ordinal} is gone") };
            on_disk += u64::from(matches!(kept.data(), Data::File(..)));
            assert_eq!(kept.read().unwrap(), *bytes);
            // Where the kernel is to send it from.
            let (file, at) = kept.in_file().unwrap();
            let mut there = vec![0; bytes.len()];
            headwater_vod::read_exact_at(file, &mut there, at).unwrap();
            assert_eq!(there, *bytes);
        }
        assert!(on_disk > 400, "{on_disk}");
        // They have no names.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let used = Arc::clone(window.disk_use());
        let all: u64 = broadcast.parts().map(|part| u64::from(part.len)).sum();
        assert_eq!(used.bytes(), (all, all));
        drop(window);
        assert_eq!(used.bytes(), (0, 0));
    }

    #[test]
    fn the_disk_is_bounded_as_memory_is() {
        let directory = tempfile::tempdir().unwrap();
        let broadcast = broadcast(120);
        let all: u64 = broadcast.parts().map(|part| u64::from(part.len)).sum();
        let window = window(WindowConfig { disk_max: all / 2, ..WindowConfig::default() });
        let mut spool = Spool::new(directory.path().to_owned(), 0, Arc::clone(window.disk_use()));
        for made in &broadcast.made {
            for kept in window.take(vec![made.clone()]) {
                spool.write(&kept).unwrap();
            }
        }
        let (own, _) = window.disk_use().bytes();
        assert!(own <= all / 2 + all / 20 && own > all / 3, "{own} of {all}");
        let range = window.range();
        assert!(range.to - range.from > Timestamp::from_ms(40_000), "{range:?}");
    }

    #[test]
    fn what_was_missed_is_written_when_the_disk_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let window = window(WindowConfig::default());
        let mut spool = Spool::new(directory.path().to_owned(), 0, Arc::clone(window.disk_use()));
        let broadcast = broadcast(120);
        for (number, made) in broadcast.made.iter().enumerate() {
            if number == 100 {
                spool.rests_until = Some(Instant::now() + REST);
            } else if number == 400 {
                spool.rests_until = None;
            }
            for kept in window.take(vec![made.clone()]) {
                spool.write(&kept).unwrap();
            }
        }
        let on_disk = |ordinal| matches!(window.lookup(ordinal), Lookup::Part(kept) if matches!(kept.data(), Data::File(..)));
        assert!((0..400).all(on_disk), "some stayed in memory");
        assert_eq!(window.range().from, Timestamp::ZERO);
    }

    #[test]
    fn a_disk_that_fails_is_told_of_once_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let window = window(WindowConfig::default());
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let broadcast = broadcast(4);
        let kept: Vec<_> = broadcast.made.iter().flat_map(|made| window.take(vec![made.clone()])).collect();
        // No directory can be there; and no disk has so much room.
        for (directory, free_min) in [(file, 0), (directory.path().to_owned(), u64::MAX)] {
            let mut spool = Spool::new(directory, free_min, Arc::clone(window.disk_use()));
            let failed = kept.iter().filter(|kept| spool.write(kept).is_err()).count();
            assert_eq!((failed, window.disk_use().bytes().0), (1, 0));
        }
        assert!(kept.iter().all(|kept| matches!(kept.data(), Data::Memory(_))));
    }
}
