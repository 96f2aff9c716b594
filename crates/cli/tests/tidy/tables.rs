//! What the rules hold, as data. Whoever moves a file or grows a floor changes this file and says why in the
//! commit.

/// Lines of a file without its tests: the aim is 400, and from here on the test fails.
pub(crate) const FILE_LINES_MAX: usize = 450;
/// Files that may be longer, with the reason. None may be longer than [`FILE_LINES_NEVER`].
pub(crate) const LONGER_FILES: &[(&str, &str)] = &[];
/// No file is longer, its tests included.
pub(crate) const FILE_LINES_NEVER: usize = 800;
/// Lines of a file that is nothing but tests.
pub(crate) const TEST_FILE_LINES_MAX: usize = 700;
/// Lines of a function, from `fn` to its closing brace: what fits a screen.
pub(crate) const FUNCTION_LINES_MAX: usize = 70;

/// Words that say nothing about what a file or a type holds.
pub(crate) const EMPTY_NAMES: &[&str] =
    &["utils", "util", "common", "define", "helper", "helpers", "manager", "misc", "types"];

/// Whether a key of the configuration must end with its unit: `lag_max_ms`, not `lag_max_ms`.
pub(crate) const UNITS_LAST: bool = true;
/// The units of keys.
pub(crate) const UNITS: &[&str] =
    &["ns", "us", "ms", "secs", "seconds", "minutes", "hours", "days", "bytes", "percent"];

/// Whether a room of [`ROOMS`] that no file is in fails too.
pub(crate) const EMPTY_ROOMS_FAIL: bool = false;

/// A crate: which of ours it may name, paths that it never names, and why.
pub(crate) struct Crate {
    pub(crate) name: &'static str,
    pub(crate) may: &'static [&'static str],
    pub(crate) never: &'static [&'static str],
    pub(crate) why: &'static str,
}

pub(crate) const CRATES: &[Crate] = &[
    Crate {
        name: "media",
        may: &[],
        never: &["tokio", "std::net", "std::fs", "std::io", "std::time", "std::thread", "getrandom"],
        why: "media says what bytes mean: no I/O, no clock, no task",
    },
    Crate {
        name: "rtmp",
        may: &["media"],
        // `rtmp/src/tokio` may: see `DRIVERS`.
        never: &[
            "tokio",
            "std::net",
            "std::fs",
            "std::time::Instant",
            "std::time::SystemTime",
            "std::thread",
            "getrandom",
        ],
        why: "rtmp is a conversation without I/O, clock and randomness",
    },
    Crate {
        name: "hub",
        may: &["media"],
        never: &[
            "std::net",
            "std::fs",
            "std::time::Instant",
            "std::time::SystemTime",
            "std::thread",
            "tokio::spawn",
            "tokio::task",
            "tokio::time",
            "tokio::net",
            "tokio::fs",
            "getrandom",
        ],
        why: "the hub knows no protocol, opens no socket, starts no task and reads no clock",
    },
    Crate {
        name: "vod",
        may: &["media", "hub"],
        never: &["std::net", "tokio::net"],
        why: "vod knows films and no protocol",
    },
    Crate {
        name: "archive",
        may: &["media", "hub", "vod"],
        never: &["std::net", "tokio::net"],
        why: "the archive knows broadcasts and no protocol",
    },
    Crate {
        name: "trace",
        may: &["media", "rtmp"],
        never: &[
            "tokio",
            "std::net",
            "std::fs",
            "std::time::Instant",
            "std::time::SystemTime",
            "std::thread",
            "getrandom",
        ],
        why: "the observer takes no part in the conversation, and has no clock",
    },
    Crate {
        name: "server",
        may: &["media", "rtmp", "hub", "vod", "archive"],
        never: &[],
        why: "the server is what the binary and its other commands stand on",
    },
    Crate {
        name: "cli",
        may: &["media", "rtmp", "hub", "vod", "archive", "trace", "server"],
        never: &[],
        why: "the binary stands on everything",
    },
];

/// Rooms to which the bans of their crate do not apply: the one place of `rtmp` that touches a socket.
pub(crate) const DRIVERS: &[&str] = &["rtmp driver"];

/// Files of a crate, and which rooms of the same crate they may name beside their own. A place is a module:
/// `flv` is `flv.rs` and everything in `flv/`; one that ends with `.rs` is that file alone.
pub(crate) struct Room {
    pub(crate) name: &'static str,
    pub(crate) krate: &'static str,
    pub(crate) places: &'static [&'static str],
    pub(crate) may: &'static [&'static str],
    /// Paths that it never names, beside those of its crate.
    pub(crate) never: &'static [&'static str],
    pub(crate) why: &'static str,
}

const fn room(
    name: &'static str,
    krate: &'static str,
    places: &'static [&'static str],
    may: &'static [&'static str],
    why: &'static str,
) -> Room {
    Room { name, krate, places, may, never: &[], why }
}

/// Names every room of its crate.
pub(crate) const ALL: &str = "all";

const DOOR: &str = "a door names no other door, and neither the configuration nor app";
const DOOR_MAY: &[&str] = &["server services", "server net", "server signals"];

pub(crate) const ROOMS: &[Room] = &[
    room("media face", "media", &["lib.rs"], &[ALL], "the face of the crate"),
    room(
        "media ground",
        "media",
        &["error", "bits", "time", "regularity", "container", "date_time", "plain_text", "ttml"],
        &[],
        "the ground names nothing above it",
    ),
    room("media amf", "media", &["amf"], &["media ground"], "AMF is values and knows no media"),
    room("media codec", "media", &["codec"], &["media ground"], "a codec knows no container"),
    room(
        "media track",
        "media",
        &[
            "track",
            "frame",
            "color_info",
            "sound_grid",
            "orientation",
            "sample_entry",
            "parameter_sets",
            "picture_start",
        ],
        &["media ground", "media codec", "media amf"],
        "frames and tracks are the same in every container",
    ),
    room(
        "media index",
        "media",
        &["index", "changes", "piece", "presented"],
        &["media ground", "media track", "media flv", "media mp4"],
        "an index is the same whatever its container",
    ),
    room(
        "media first frames",
        "media",
        &["first_frames"],
        &["media ground", "media codec", "media track", "media index"],
        "what frames say of their track is the same in every container",
    ),
    room(
        "media flv",
        "media",
        &["flv"],
        &["media ground", "media amf", "media codec", "media track", "media index"],
        "a container names no other",
    ),
    room(
        "media mp4",
        "media",
        &["mp4"],
        &["media ground", "media codec", "media track", "media index"],
        "a container names no other",
    ),
    room(
        "media cut",
        "media",
        &["cut"],
        &["media ground", "media track", "media index", "media flv", "media mp4"],
        "a film written anew stands on the containers",
    ),
    room(
        "media hls",
        "media",
        &["hls"],
        &["media ground", "media track", "media index", "media mp4"],
        "segments are made from MP4 and the index",
    ),
    room("rtmp face", "rtmp", &["lib.rs"], &[ALL], "the face of the crate"),
    room(
        "rtmp conversation",
        "rtmp",
        &[
            "capture",
            "chunk",
            "command",
            "credentials",
            "error",
            "fault",
            "handshake",
            "keyed_hash",
            "login",
            "message",
            "output",
            "rule",
            "session",
            "url",
        ],
        &[],
        "the conversation knows nothing of the driver",
    ),
    room("rtmp driver", "rtmp", &["tokio"], &["rtmp conversation"], "the one place that touches a socket"),
    room("hub face", "hub", &["lib.rs"], &[ALL], "the face of the crate"),
    room(
        "hub streams",
        "hub",
        &[
            "announce",
            "awaited",
            "batch",
            "departures",
            "groups",
            "health",
            "hub",
            "left_out",
            "log",
            "name",
            "position",
            "presence",
            "publisher",
            "chain",
            "reader",
            "setup",
            "snapshot",
            "stream",
            "subscriber",
            "timeline",
            "wake",
        ],
        &["hub cursor"],
        "the hub's log is one source of cursors",
    ),
    room(
        "hub cursor",
        "hub",
        &["cursor", "playback"],
        &["hub streams"],
        "a cursor and what plays it, of whatever source",
    ),
    room("vod face", "vod", &["lib.rs"], &[ALL], "the face of the crate"),
    room(
        "vod ground",
        "vod",
        &["blob", "blocking", "cache", "disk", "foreign", "refusal"],
        &[],
        "the ground knows no film",
    ),
    room(
        "vod films",
        "vod",
        &["film", "indexing", "item", "library", "media_root", "mp4", "chain", "reader"],
        &["vod ground"],
        "a library knows nothing of who plays, draws or uploads its films",
    ),
    room(
        "vod cursor",
        "vod",
        &["cursor", "film_cursor", "read_ahead"],
        &["vod ground", "vod films"],
        "a cursor knows neither pictures nor uploads",
    ),
    room(
        "vod thumbnails",
        "vod",
        &["thumbnails/mod.rs", "thumbnails/sprite"],
        &["vod ground", "vod films", "vod picture"],
        "thumbnails know neither playing nor uploads",
    ),
    Room {
        name: "vod picture",
        krate: "vod",
        places: &["thumbnails/picture"],
        may: &["vod ground"],
        never: &["tokio", "std::fs"],
        why: "a picture is bytes in and bytes out",
    },
    room(
        "vod uploads",
        "vod",
        &["uploads"],
        &["vod ground", "vod films"],
        "uploads know neither playing nor pictures",
    ),
    room("archive face", "archive", &["lib.rs"], &[ALL], "the face of the crate"),
    Room {
        name: "archive parts",
        krate: "archive",
        places: &["part", "parts", "cue_point", "numbers"],
        may: &[],
        never: &["tokio", "std::fs", "std::time::Instant", "std::time::SystemTime", "std::thread"],
        why: "parts are made without I/O, clock and task",
    },
    room(
        "archive window",
        "archive",
        &["disk_use", "window"],
        &["archive parts"],
        "a window keeps what was made and knows no file's writer",
    ),
    room(
        "archive recording",
        "archive",
        &["clip", "recording", "recordings", "spool", "lock", "utc"],
        &["archive parts", "archive window"],
        "a recording writes what was made, whoever reads it",
    ),
    room(
        "archive names",
        "archive",
        &["archive", "config"],
        &["archive parts", "archive window", "archive recording"],
        "names lead to windows and recordings",
    ),
    room(
        "archive cursor",
        "archive",
        &["cursor"],
        &["archive parts", "archive window", "archive names"],
        "a cursor reads a window, and nothing below knows it",
    ),
    room("trace face", "trace", &["lib.rs"], &[ALL], "the face of the crate"),
    room(
        "trace observer",
        "trace",
        &[
            "commands",
            "control",
            "conversation",
            "event",
            "figures",
            "findings",
            "handshake",
            "media",
            "metadata",
            "observer",
            "payload",
            "session",
            "step",
            "tag",
            "verdict",
        ],
        &[],
        "the observer does not know how it is shown",
    ),
    room("trace show", "trace", &["show"], &["trace observer"], "what is shown was observed"),
    room("server face", "server", &["lib.rs", "doors/mod.rs", "workers/mod.rs"], &[ALL], "a face of rooms"),
    room("server app", "server", &["app"], &[ALL], "puts the rooms together"),
    room(
        "server config",
        "server",
        &["config"],
        &["server http", "server rtmp", "server workers", "server services", "server net", "server signals"],
        "composes what each room defines, and is named by app alone",
    ),
    room("server http", "server", &["doors/http"], DOOR_MAY, DOOR),
    room("server rtmp", "server", &["doors/rtmp"], DOOR_MAY, DOOR),
    room(
        "server workers",
        "server",
        &["workers/demo", "workers/record", "workers/relay", "workers/callbacks"],
        &["server services", "server net", "server signals"],
        "a worker names no door, and neither the configuration nor app",
    ),
    room(
        "server services",
        "server",
        &["access", "fanout", "sources", "track_selection"],
        &["server net", "server signals"],
        "what doors and workers share knows neither",
    ),
    room(
        "server net",
        "server",
        &["net"],
        &["server signals"],
        "what happens before a protocol knows none, and nothing of who may do what",
    ),
    room(
        "server signals",
        "server",
        &["events", "live", "metrics", "stop", "uptime", "watched"],
        &[],
        "what every room reports to or listens to names none of them",
    ),
    room(
        "cli commands",
        "cli",
        &[
            "main.rs",
            "bench",
            "check_hls",
            "incoming",
            "left_out",
            "line",
            "line_limit",
            "manual",
            "output",
            "play",
            "probe",
            "progress",
            "publish",
            "recording",
            "serve",
            "trace",
        ],
        &[],
        "commands",
    ),
];

/// Sections that there is one of for each of something, as `[apps.live]`.
pub(crate) const NAMED_SECTIONS: &[&str] = &["apps"];

/// Words by which the manual gives a range.
pub(crate) const RANGE_WORDS: &[&str] = &[
    " to ",
    "at least",
    "at most",
    "or more",
    "or less",
    "between",
    "no smaller",
    "not smaller",
    "no larger",
];
