//! The codecs of the Flash age pass untouched, by both doors: published by ffmpeg and by GStreamer.

use std::process::Command;

use crate::program::needs;
use crate::publishers::{NAME, carries};
use crate::sources::{self, Voice};

fn from_ffmpeg(video: &'static str, voice: Voice) {
    needs!("ffmpeg", "ffprobe");
    let source = sources::flash(video, voice);
    carries(&source, |server| server.publish(&source, NAME));
}

#[test]
fn sorenson_and_g711_a_law() {
    from_ffmpeg("flv1", Voice { codec: "pcm_alaw", rate: 8000 });
}

#[test]
fn screen_video_and_g711_mu_law() {
    from_ffmpeg("flashsv", Voice { codec: "pcm_mulaw", rate: 8000 });
}

#[test]
fn screen_video_2_and_adpcm() {
    from_ffmpeg("flashsv2", Voice { codec: "adpcm_swf", rate: 22_050 });
}

#[test]
fn sorenson_and_nellymoser() {
    from_ffmpeg("flv1", Voice { codec: "nellymoser", rate: 22_050 });
}

#[test]
fn sorenson_and_speex() {
    from_ffmpeg("flv1", Voice { codec: "libspeex", rate: 16_000 });
}

/// GStreamer takes the file apart and puts it together again before it publishes.
fn from_gstreamer(voice: Voice, caps: &str) {
    needs!("ffmpeg", "ffprobe", "gst-launch-1.0");
    let source = sources::flash("flv1", voice);
    carries(&source, |server| {
        let mut command = Command::new("gst-launch-1.0");
        command.args(["-q", "filesrc", &format!("location={}", source.display()), "!", "flvdemux", "name=d"]);
        command.args(["flvmux", "name=m", "streamable=true", "!", "rtmp2sink", "sync=true"]);
        command.arg(format!("location={}", server.rtmp(NAME)));
        command.args(["d.video", "!", "queue", "!", "m.video"]);
        command.args(["d.audio", "!", "queue", "!", caps, "!", "m.audio"]);
        server.run("gstreamer", command)
    });
}

#[test]
fn gstreamer_publishes_g711() {
    from_gstreamer(Voice { codec: "pcm_alaw", rate: 8000 }, "audio/x-alaw");
}
