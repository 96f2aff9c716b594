//! `headwater check-hls`: a live playlist watched as players watch it, and held against RFC 8216bis.

mod client;
mod finding;
mod fragments;
mod playlist;
mod rendition;
mod rules;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::Args;
use serde::Serialize;

use self::client::Client;
pub(crate) use self::client::{resolve, with_query};
use self::finding::Finding;
use self::playlist::Attributes;
pub(crate) use self::playlist::{MediaPlaylist, Part};
use self::rendition::Rendition;
use super::incoming::shown;
use super::line::Trust;
use super::output;
use super::progress::Progress;

/// Renditions that are watched side by side, at most.
const RENDITIONS_MAX: usize = 16;
/// Findings of each rendition that are printed.
const TOLD_MAX: usize = 100;

/// Watch a live stream over HLS and say what breaks the rules.
///
/// Loads the playlists of every rendition again and again, with blocking reloads where the server offers them, fetches
/// every part and segment that they name, and holds all of it against RFC 8216 and its successor (low latency): what
/// must never change, part durations, numbers, dates, times inside the fragments, the same bytes at the same address.
///
/// The exit status is 1 if something was found.
///
/// Example: headwater check-hls http://localhost:8080/live/demo/index.m3u8 --duration 60
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// http://HOST/APP/NAME/index.m3u8 (https:// too), a master or a media playlist.
    target: String,
    /// Watch for so long, in seconds, or until the stream is over.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    duration: f64,
    #[command(flatten)]
    trust: Trust,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    target: String,
    renditions: Vec<RenditionReport>,
    findings: u64,
}

#[derive(Debug, Serialize)]
struct RenditionReport {
    playlist: String,
    playlists: u64,
    segments: u64,
    parts: u64,
    bytes: u64,
    discontinuities: u64,
    findings: Vec<Finding>,
}

/// Watches, and prints what was found.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    ensure!(
        arguments.duration.is_finite() && (0.0..1e9).contains(&arguments.duration),
        "--duration is a number of seconds"
    );
    let until = Instant::now() + Duration::from_secs_f64(arguments.duration);
    let (playlists, mut findings) = {
        // A server may hold the answer until there is a stream.
        let mut progress = Progress::new(&shown(&arguments.target), None);
        let found = progress.wait(renditions(&arguments.target, &arguments.trust)).await;
        progress.finish();
        found?
    };
    let quiet = arguments.json;
    let watching = playlists.into_iter().map(|uri| {
        let trust = arguments.trust.clone();
        tokio::spawn(async move {
            let mut rendition = Rendition::new(uri, &trust);
            let tell = |uri: &str, finding: &Finding| {
                if !quiet {
                    eprintln!("{uri}: {finding}");
                }
            };
            let watched = rendition.watch(until, &tell).await;
            watched.map(|()| rendition)
        })
    });
    let mut watched = Vec::new();
    for task in watching.collect::<Vec<_>>() {
        watched.push(task.await??);
    }
    findings.extend(lags(&watched));
    let report = report(arguments.target, &watched, findings);
    if arguments.json {
        output::print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        output::print(&told(&report))?;
    }
    Ok(if report.findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The media playlists behind an address, and what is wrong with the master playlist.
async fn renditions(target: &str, trust: &Trust) -> anyhow::Result<(Vec<String>, Vec<Finding>)> {
    let answer = Client::new(trust).get(target, None).await?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    if !answer.status.is_success() {
        bail!("{target}: the server answers {}: {}", answer.status, text.trim());
    }
    playlists_of(target, &text)
}

/// The media playlists that a text names which lies at `target`, and what is wrong with it.
pub(crate) fn playlists_of(target: &str, text: &str) -> anyhow::Result<(Vec<String>, Vec<Finding>)> {
    ensure!(text.starts_with("#EXTM3U"), "{target} is no playlist of HLS");
    if !text.contains("#EXT-X-STREAM-INF") {
        return Ok((vec![target.to_owned()], Vec::new()));
    }
    let (mut found, mut findings, mut about) = (Vec::new(), Vec::new(), None);
    for line in text.lines() {
        if let Some(list) = line.strip_prefix("#EXT-X-MEDIA:") {
            found.extend(Attributes(list).of("URI").map(|uri| resolve(target, uri)));
        } else if let Some(list) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            about = Some(Attributes(list));
        } else if !line.starts_with('#') && !line.is_empty() {
            found.push(resolve(target, line));
            let Some(about) = about.take() else {
                findings.push(Finding::new("master", format!("{line} has no EXT-X-STREAM-INF")));
                continue;
            };
            for wanted in ["BANDWIDTH", "CODECS"] {
                if about.of(wanted).is_none() {
                    findings.push(Finding::new("master", format!("{line} has no {wanted}")));
                }
            }
        }
    }
    found.dedup();
    ensure!(!found.is_empty(), "{target} names no media playlist");
    found.truncate(RENDITIONS_MAX);
    Ok((found, findings))
}

/// Renditions of one stream stand side by side: none lags behind another by more than a segment.
fn lags(watched: &[Rendition]) -> Option<Finding> {
    let newest: Vec<u64> = watched.iter().filter_map(|rendition| Some(rendition.newest()?.0)).collect();
    let (least, most) = (newest.iter().min()?, newest.iter().max()?);
    let what = format!("one is at segment {least}, another one at {most}");
    (most - least > 1).then(|| Finding::new("renditions", what))
}

fn report(target: String, watched: &[Rendition], findings: Vec<Finding>) -> Report {
    let own = findings.len();
    let all = watched.iter().map(|rendition| rendition.findings.len()).sum::<usize>() + own;
    let mut renditions: Vec<RenditionReport> = watched
        .iter()
        .map(|rendition| RenditionReport {
            playlist: rendition.uri().to_owned(),
            playlists: rendition.counts.playlists,
            segments: rendition.counts.segments,
            parts: rendition.counts.parts,
            bytes: rendition.counts.bytes,
            discontinuities: rendition.counts.breaks,
            findings: rendition.findings.iter().take(TOLD_MAX).cloned().collect(),
        })
        .collect();
    if let Some(first) = renditions.first_mut() {
        first.findings.splice(0..0, findings);
    }
    Report { target, renditions, findings: all as u64 }
}

fn told(report: &Report) -> String {
    let mut text = String::new();
    for rendition in &report.renditions {
        let RenditionReport { playlist, playlists, segments, parts, bytes, discontinuities, .. } = rendition;
        let megabytes = *bytes as f64 / 1e6;
        text += &format!(
            "{playlist}\n  {playlists} playlists, {segments} segments, {parts} parts, {megabytes:.1} MB, \
             {discontinuities} discontinuities, {} findings\n",
            rendition.findings.len()
        );
    }
    text += &match report.findings {
        0 => "Nothing breaks the rules.\n".to_owned(),
        1 => "1 finding.\n".to_owned(),
        count => format!("{count} findings.\n"),
    };
    text
}
