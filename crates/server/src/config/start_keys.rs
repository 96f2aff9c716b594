//! Which keys are read at the start only, and which keys differ.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Config;

impl Config {
    /// Takes the start keys back from the configuration that the server runs on: what was bound, opened or measured
    /// out at the start stays. Every key that does not stand here is a live key.
    pub(super) fn keep_start_keys(&mut self, running: &Self) {
        let running = running.clone();
        self.data = running.data;
        self.media = running.media;
        self.rtmp.listen = running.rtmp.listen;
        self.rtmp.all_on_one_port = running.rtmp.all_on_one_port;
        self.http.listen = running.http.listen;
        // The files that it names are followed all the same.
        self.tls = running.tls;
        // The hub has these from its first day.
        self.streams.log_max_bytes = running.streams.log_max_bytes;
        self.streams.lag_max_ms = running.streams.lag_max_ms;
        self.streams.reconnect_window_ms = running.streams.reconnect_window_ms;
        self.streams.takeover = running.streams.takeover;
        self.streams.takeover_silence_ms = running.streams.takeover_silence_ms;
        self.streams.streams_max = running.streams.streams_max;
        self.streams.viewers_per_stream_max = running.streams.viewers_per_stream_max;
        self.window = running.window;
        self.recordings = running.recordings;
        self.apps = running.apps;
        // And so has the library.
        self.vod = running.vod;
        self.pictures = running.pictures;
        self.uploads = running.uploads;
        self.access.trust_local = running.access.trust_local;
        self.access.session_hours = running.access.session_hours;
        self.access.publish_key = running.access.publish_key;
        self.access.admin_token = running.access.admin_token;
    }

    /// The keys in which `other` differs, as `section.key`.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.keys(), other.keys());
        let mut keys: Vec<_> =
            ours.keys().filter(|key| ours.get(*key) != theirs.get(*key)).cloned().collect();
        // Secrets are not shown, and so look alike.
        let secrets = [
            ("access.publish_key", self.access.publish_key != other.access.publish_key),
            ("access.admin_token", self.access.admin_token != other.access.admin_token),
        ];
        for (key, differs) in secrets {
            if differs && !keys.iter().any(|other| other == key) {
                keys.push(key.to_owned());
            }
        }
        keys
    }

    /// Every key with its value, as `section.key`.
    pub(super) fn keys(&self) -> BTreeMap<String, Value> {
        let mut shown = self.clone();
        // Only a flag can name a path that is no text, and flags stay what they are.
        for path in [&mut shown.data, &mut shown.media, &mut shown.recordings.directory] {
            *path = path.to_string_lossy().into_owned().into();
        }
        let mut keys = BTreeMap::new();
        let Ok(Value::Object(sections)) = serde_json::to_value(shown) else { return keys };
        for (section, value) in sections {
            match value {
                Value::Object(values) => {
                    keys.extend(values.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)));
                }
                value => drop(keys.insert(section, value)),
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;

    const MANUAL: &str = include_str!("../../../../docs/configuration.md");

    /// Every key, with a line that gives it a value that is not its default.
    fn every_key() -> Vec<(String, Config)> {
        Config::default()
            .keys()
            .into_iter()
            .map(|(key, value)| (key.clone(), with_another(&key, &value)))
            .collect()
    }

    fn with_another(key: &str, value: &Value) -> Config {
        let values = match value {
            Value::Bool(value) => vec![(!value).to_string()],
            Value::Number(value) => vec![(value.as_u64().unwrap() + 1).to_string()],
            Value::Array(_) => {
                ["10.0.0.0/8", "https://a.example"].map(|value| format!("[{value:?}]")).to_vec()
            }
            Value::Object(_) => vec!["{ courses = \"/srv/courses\" }".into()],
            _ => ["127.0.0.1:1", "never", "key", "long enough"].map(|value| format!("{value:?}")).to_vec(),
        };
        let configs = values.iter().map(|value| Config::parse(&format!("{key} = {value}\n")));
        let mut valid = configs.filter_map(Result::ok).filter(|config| *config != Config::default());
        valid.next().unwrap_or_else(|| panic!("{key} takes none of {values:?}"))
    }

    /// What the parts of the server are told.
    fn told(config: &Config) -> String {
        let Settings { rtmp, rtmp_limits, http, http_limits, tunnels, proxy, viewing, gathering, publish } =
            Settings::new(config);
        let doors = format!("{:?} {:?}", rtmp.live().get(), http.live().get());
        let limits = format!("{:?} {:?}", rtmp_limits.live().get(), http_limits.live().get());
        let net = format!("{:?} {:?}", tunnels.live().get(), proxy.live().get());
        let streams = format!("{:?} {:?}", viewing.live().get(), gathering.live().get());
        format!("{doors} {limits} {net} {streams} {:?}", publish.live().get())
    }

    #[test]
    fn a_key_is_live_and_reaches_somebody_or_stays_and_the_manual_says_which() {
        let running = Config::default();
        for (key, wanted) in every_key() {
            assert_eq!(running.differences(&wanted), std::slice::from_ref(&key));
            let mut next = wanted.clone();
            next.keep_start_keys(&running);
            let is_live = next != running;
            if is_live {
                assert!(next == wanted && told(&next) != told(&running), "nobody is told of {key}");
            }
            let name = key.rsplit('.').next().unwrap();
            let section = key.split_once('.').map_or("", |(section, _)| section);
            let example = MANUAL.split(&format!("\n[{section}]\n")).nth(1).unwrap_or(MANUAL);
            let example = example.split("\n[").next().unwrap();
            let line = example.lines().find(|line| {
                line.trim_start_matches("# ").strip_prefix(name).is_some_and(|rest| rest.starts_with(" = "))
            });
            let line = line.unwrap_or_else(|| panic!("the manual does not name {key}"));
            assert_eq!(line.ends_with("# start"), !is_live, "the manual on {key}: {line}");
        }
    }

    #[test]
    fn secrets_are_shown_nowhere_and_their_change_is_seen() {
        let with = |key: &str| Config::parse(&format!("[access]\nadmin_token = {key:?}\n")).unwrap();
        let (one, other) = (with("first-secret"), with("other-secret"));
        assert_eq!(one.differences(&other), ["access.admin_token"]);
        assert!(one.differences(&one.clone()).is_empty());
        let shown = serde_json::to_string(&one).unwrap();
        assert!(shown.contains("\"admin_token\":\"…\"") && !shown.contains("first"), "{shown}");
    }
}
