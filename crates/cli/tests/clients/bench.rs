//! `headwater bench` counts what its players get: of a server that delivers everything nothing is missing, and what a
//! server does not deliver is seen. How fast it is, is printed and not asserted.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::headwater;
use crate::program::Program;

const QUICK: [&str; 8] = ["--players", "4", "--rounds", "1", "--window", "2", "--warmup", "1"];

fn bench(more: &[&str]) -> Output {
    let quick = QUICK.chunks(2).filter(|pair| !more.contains(&pair[0])).flatten();
    headwater().args(["--log", "warn", "bench"]).args(more).args(quick).arg("--json").output().unwrap()
}

fn rows(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"));
    report["rows"].as_array().unwrap().clone()
}

#[test]
fn every_format_is_counted_from_its_first_picture_to_its_last() {
    for format in ["rtmp", "http-flv", "ws-flv"] {
        let output =
            bench(&["serve", "loop", "loop:40", "--format", format, "--streams", "2", "--joins", "4"]);
        assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        let rows = rows(&output);
        let servers: Vec<_> = rows.iter().map(|row| row["server"].as_str().unwrap()).collect();
        assert_eq!(servers, ["serve", "loop", "loop:40"]);
        for row in &rows {
            let window = &row["windows"][0];
            let messages = window["messages"].as_u64().unwrap();
            // 4 players, 2 s, 25 pictures and 43 sounds a second.
            assert!((400..700).contains(&messages), "{format}: {messages} messages");
            assert_eq!(
                (&window["pictures_lost"], &window["players_failed"]),
                (&Value::from(0), &Value::from(0))
            );
            assert!(window["latency_ms"]["p50"].as_f64().unwrap() > 0.0, "{window}");
            // The four, and those that only joined.
            assert!(window["join_ms"]["max"].as_f64().unwrap() > 0.0, "{window}");
            if cfg!(target_os = "linux") {
                assert!(window["cpu_us"].as_f64().unwrap() > 0.0, "{window}");
                assert!(window["players_busy"].as_f64().unwrap() > 0.0, "{window}");
            }
        }
    }
}

#[test]
fn players_of_hls_get_every_picture_in_parts() {
    let output = bench(&["serve", "--format", "hls", "--warmup", "6", "--joins", "2"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let rows = rows(&output);
    let window = &rows[0]["windows"][0];
    let lost = (&window["pictures_lost"], &window["players_failed"]);
    assert_eq!(lost, (&Value::from(0), &Value::from(0)), "{text}");
    assert!(window["mbit_s"].as_f64().unwrap() > 3.0, "{window}");
    // A part is complete a third of a second after its first picture.
    assert!(window["latency_ms"]["p50"].as_f64().unwrap() > 20.0, "{window}");
    assert!(window["join_ms"]["p50"].as_f64().unwrap() > 0.0, "{window}");
    let refused = bench(&["loop", "--format", "hls"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("has no HLS"));
}

#[test]
fn growth_is_measured_load_by_load_and_drawn() {
    let file = std::env::temp_dir().join(format!("headwater-growth-{}.svg", std::process::id()));
    let chart = file.to_str().unwrap();
    let output =
        bench(&["serve", "--kbps", "100,1000", "--stalled", "1", "--burst", "0.5", "--chart", chart]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = rows(&output);
    let mbit = |row: &Value| row["windows"][0]["mbit_s"].as_f64().unwrap();
    assert_eq!(rows.iter().map(|row| row["kbps"].as_u64().unwrap()).collect::<Vec<_>>(), [100, 1_000]);
    assert!(mbit(&rows[1]) > 4.0 * mbit(&rows[0]), "{rows:?}");
    let drawn = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(drawn.contains("kbit/s") && drawn.matches("<circle").count() == 2, "{drawn}");
}

#[test]
fn players_that_do_not_get_in_have_failed_and_say_why() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = bench(&[&format!("http://{closed}/live/nobody.flv"), "--no-publish"]);
    assert!(!output.status.success());
    let window = rows(&output)[0]["windows"][0].clone();
    assert_eq!((&window["messages"], &window["players_failed"]), (&Value::from(0), &Value::from(4)));
    assert!(window["first_failure"].as_str().unwrap().contains("cannot reach"), "{window}");
}

#[test]
fn what_is_no_target_is_named_with_what_would_be_one() {
    for (target, wanted) in
        [("server", "serve, loop, loop:MS, nginx or an address"), ("loop:x", "milliseconds")]
    {
        let output = bench(&[target]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(wanted) && text.contains(target), "{text}");
    }
}

#[test]
fn what_is_kept_of_streams_is_measured_and_gone_back_in() {
    let output = bench(
        &[
            ["serve:window", "serve:record", "--past", "40", "--players", "1"].as_slice(),
            &["--rewound", "2", "--seeks", "4", "--clip", "20", "--streams", "2"],
        ]
        .concat(),
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = rows(&output);
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let window = &row["windows"][0];
        let at_least = |figure: &str, least: f64| {
            let value = window.pointer(figure).and_then(Value::as_f64);
            assert!(value >= Some(least), "{figure}: {value:?} in {row}");
        };
        at_least("/seek_ms/p50", 0.001);
        at_least("/seeks", 2.0);
        at_least("/join_ms/p50", 0.001);
        // 20 s of 1 Mbit/s with sound.
        at_least("/clip/bytes", 2_500_000.0);
        // Two streams of 40 s, of which the newest half minute is in memory.
        let on_disk = if row["server"] == "serve:record" { "recordings_bytes" } else { "window_disk_bytes" };
        at_least(&format!("/kept/{on_disk}"), 1_000_000.0);
        assert_eq!(window["kept"]["recording_lost_parts"], 0, "{row}");
    }
}

#[test]
fn streams_that_nobody_watches_are_what_is_measured() {
    let output = bench(&["serve:live", "serve:window", "--players", "0", "--streams", "3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for row in rows(&output) {
        assert_eq!((&row["players"], &row["windows"][0]["full_share"]), (&Value::from(0), &Value::Null));
        if cfg!(target_os = "linux") {
            assert!(row["cpu_us_each_s"]["median"].as_f64().unwrap() > 0.0, "{row}");
        }
    }
}

#[test]
fn what_cannot_be_gone_back_in_is_refused_with_what_can() {
    for (arguments, wanted) in [
        (&["serve:live", "--past", "10"][..], "serve, serve:window or serve:record"),
        (&["serve", "--rewound", "3"], "--past SECONDS"),
        (&["serve:window", "--past", "10", "--clip", "20"], "no more than the --past"),
        (&["serve:window", "--past", "10", "--rewound", "1", "--format", "http-flv"], "ws-flv"),
        (&["serve:record", "--config", "any.toml"], "configuration of its own"),
        (&["rtmp://localhost/live/x", "--players", "0", "--no-publish"], "at least one"),
        (&["serve", "--pid", "1"], "--pid is for targets that are addresses"),
        (&["rtmp://localhost/live/x", "--publish", "a", "--publish", "b"], "--publish is for targets"),
        (&["serve", "--config", "/nowhere/of/ours.toml"], "/nowhere/of/ours.toml"),
    ] {
        let output = bench(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(wanted), "{arguments:?}: {text}");
    }
}

/// A measurement of two servers, a while after both have been started, and their processes.
#[cfg(target_os = "linux")]
fn measuring(mut command: Command, place: &Path, scratch: &Path) -> (Program, Vec<String>) {
    fs::create_dir_all(scratch).unwrap();
    command.args(["bench", "serve", "loop", "--players", "2", "--window", "600"]).env("TMPDIR", scratch);
    let bench = Program::start(command, &place.join("log"));
    let servers = || -> Vec<String> {
        // Whichever of its threads has started them.
        let tasks = fs::read_dir(format!("/proc/{}/task", bench.id())).into_iter().flatten().flatten();
        let text = tasks.map(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default());
        text.collect::<String>().split_whitespace().map(str::to_owned).collect()
    };
    let end = Instant::now() + Duration::from_secs(30);
    while servers().len() < 2 {
        assert!(Instant::now() < end, "no two servers: {}", bench.log());
        thread::sleep(Duration::from_millis(20));
    }
    let servers = servers();
    (bench, servers)
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_what_was_started_and_leaves_nothing() {
    // Of INT most likely while players watch, of TERM and HUP while a server starts. Under `nohup` HUP ends nothing.
    let launched: [(&[&str], &str, u64); 4] = [
        (&["env"], "TERM", 0),
        (&["env"], "INT", 3_000),
        (&["nohup"], "TERM", 0),
        // Whatever the tests themselves were begun with.
        (&["env", "--default-signal=HUP"], "HUP", 0),
    ];
    for (launcher, signal, pause) in launched {
        let kind = format!("bench-{}-{signal}-{}", launcher[0], std::process::id());
        let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(kind);
        let scratch = place.join("scratch");
        let mut command = Command::new(launcher[0]);
        command.args(&launcher[1..]).arg(headwater().get_program());
        let (mut bench, servers) = measuring(command, &place, &scratch);
        if launcher == ["nohup"] {
            bench.signal("HUP");
            thread::sleep(Duration::from_millis(500));
            assert!(bench.runs(), "{}", bench.log());
        }
        thread::sleep(Duration::from_millis(pause));
        bench.signal(signal);
        assert!(!bench.wait(30).success());
        assert!(bench.log().contains("ended by a signal"), "{}", bench.log());
        for server in servers {
            let name = fs::read_to_string(format!("/proc/{server}/comm")).unwrap_or_default();
            assert!(!name.contains("headwater"), "{server} goes on");
        }
        assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "{signal}: a directory stays");
        fs::remove_dir_all(place).unwrap();
    }
}
