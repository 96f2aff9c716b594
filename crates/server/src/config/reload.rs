//! Reading the configuration again while the server runs.

use std::sync::Arc;

use super::settings::Settings;
use super::{Config, Origin};
use crate::events::{Event, Events};

/// Knows where the configuration comes from and what the server runs on.
pub(crate) struct Reloader {
    origin: Origin,
    running: Config,
    settings: Settings,
    events: Arc<Events>,
}

impl Reloader {
    /// A server runs on `running`, whose live keys its parts read from `settings`.
    pub(crate) fn new(origin: Origin, running: Config, settings: Settings, events: Arc<Events>) -> Self {
        Self { origin, running, settings, events }
    }

    /// Reads the configuration again at each SIGHUP, for ever. Without a file there is nothing to read, and the
    /// signal keeps the meaning that the system gives it: a terminal that is closed ends the program.
    ///
    /// # Errors
    /// The system gives no signals.
    #[cfg(unix)]
    pub(crate) fn follow_signal(mut self) -> anyhow::Result<Option<impl Future<Output = ()> + Send>> {
        use tokio::signal::unix::{SignalKind, signal};
        if self.origin.file.is_none() {
            return Ok(None);
        }
        let mut hangups = signal(SignalKind::hangup())?;
        Ok(Some(async move {
            while hangups.recv().await.is_some() {
                self.reload();
            }
        }))
    }

    /// Reads the configuration again: live keys take their new values, start keys stay. One that cannot be read or
    /// is not valid changes nothing.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no SIGHUP"))]
    pub(crate) fn reload(&mut self) {
        let wanted = match self.origin.load() {
            Ok(wanted) => wanted,
            Err(error) => return self.events.emit(Event::ConfigurationKept { text: in_one_line(&error) }),
        };
        let mut next = wanted.clone();
        next.keep_start_keys(&self.running);
        let changed = self.running.differences(&next);
        let at_restart = next.differences(&wanted);
        self.settings.set(&next);
        self.running = next;
        self.events.emit(Event::ConfigurationChanged { changed, at_restart });
    }
}

/// The parser draws where a file is wrong in several lines; an event is one.
fn in_one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let words = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('|'));
    words.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use crate::events::{Heard, Listener};

    struct Running {
        file: std::path::PathBuf,
        reloader: Reloader,
        heard: Listener,
    }

    impl Running {
        fn start(name: &str, text: &str) -> Self {
            let file = std::env::temp_dir().join(format!("headwater-{name}-{}.toml", std::process::id()));
            std::fs::write(&file, text).unwrap();
            let overrides = Overrides { http: Some("127.0.0.1:1".parse().unwrap()), ..Overrides::default() };
            let origin = Origin { file: Some(file.clone()), overrides };
            let running = origin.load().unwrap();
            let events = Arc::new(Events::new(Arc::default()));
            let heard = events.listen();
            let settings = Settings::new(&running);
            Self { file, reloader: Reloader::new(origin, running, settings, events), heard }
        }

        async fn reload(&mut self, text: &str) -> Event {
            std::fs::write(&self.file, text).unwrap();
            self.reloader.reload();
            match self.heard.next().await {
                Some(Heard::Event(event)) => Event::clone(&event),
                heard => panic!("{heard:?}"),
            }
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.file);
        }
    }

    fn changed(changed: &[&str], at_restart: &[&str]) -> Event {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Event::ConfigurationChanged { changed: keys(changed), at_restart: keys(at_restart) }
    }

    #[tokio::test]
    async fn live_keys_change_and_start_keys_wait_for_a_restart() {
        let mut running = Running::start("live", "[rtmp]\nwrite_timeout_ms = 1\n");
        let (mut rtmp, gathering) =
            (running.reloader.settings.rtmp.live(), running.reloader.settings.gathering.live());
        let event = running.reload("[rtmp]\nwrite_timeout_ms = 2\n[streams]\ngather_max_ms = 7\n").await;
        assert_eq!(event, changed(&["rtmp.write_timeout_ms", "streams.gather_max_ms"], &[]));
        assert_eq!(rtmp.news().unwrap().write_timeout_ms, 2);
        assert_eq!(gathering.get().max.as_millis(), 7);

        // What a flag says wins over the file here too, and what waits for a restart is told each time.
        let text =
            "[rtmp]\nlisten = \"127.0.0.1:2\"\n[http]\nlisten = \"127.0.0.1:2\"\nhead_timeout_ms = 9\n";
        let event = running.reload(text).await;
        let live = ["http.head_timeout_ms", "rtmp.write_timeout_ms", "streams.gather_max_ms"];
        assert_eq!(event, changed(&live, &["rtmp.listen"]));
        assert_eq!(running.reloader.running.rtmp.listen.port(), 1935);
        assert_eq!(running.reloader.settings.http_limits.live().get().setup_timeout.as_millis(), 9);
        assert_eq!(running.reload(text).await, changed(&[], &["rtmp.listen"]));
    }

    #[tokio::test]
    async fn a_wrong_file_changes_nothing() {
        let mut running = Running::start("wrong", "[rtmp]\nwrite_timeout_ms = 1\n");
        let rtmp = running.reloader.settings.rtmp.live();
        for (wrong, why) in [
            ("[rtmp]\nwrite_timeout_ms = 2\nhello = 1\n", "unknown field `hello`"),
            ("[rtmp]\nwrite_timeout_ms = 2\nchunk_size = 0\n", "chunk_size = 0 is outside"),
            ("[rtmp", "line 1"),
        ] {
            let event = running.reload(wrong).await;
            let Event::ConfigurationKept { text } = &event else { panic!("{event:?}") };
            assert!(text.contains(why) && text.contains("headwater-wrong") && !text.contains('\n'), "{text}");
            assert_eq!(rtmp.get().write_timeout_ms, 1);
        }
        std::fs::remove_file(&running.file).unwrap();
        running.reloader.reload();
        let Some(Heard::Event(event)) = running.heard.next().await else { panic!("nothing is told") };
        assert!(event.sentence().starts_with("the configuration in force stays: cannot read"), "{event:?}");
        let event = running.reload("[rtmp]\nwrite_timeout_ms = 3\n").await;
        assert_eq!(event, changed(&["rtmp.write_timeout_ms"], &[]));
    }
}
