//! The playlists of a film.

use headwater_media::hls::{
    Announced, IFrameVariant, MasterPlaylist, MediaPlaylist, MediaSegment, PlaylistType, Rendition,
    RenditionKind, Segment, SegmentedTrack, Variant,
};
use headwater_media::{MediaKind, Timestamp};

use super::{Showing, subtitles};
use crate::doors::http::line_name::LineName;
use headwater_vod::Refusal;

const SOUND: &str = "sound";
const TEXT: &str = "text";

impl Showing<'_> {
    pub(super) fn master(&self) -> String {
        let described = self.presentation.tracks().iter().map(|line| (line, self.announced(line)));
        let (videos, sounds): (Vec<_>, Vec<_>) =
            described.partition(|(line, _)| self.name(line).0.kind == MediaKind::Video);
        let has_subtitles = !self.subtitles.is_empty();
        let loudest = sounds.iter().map(|(line, _)| line.bandwidth()).max().unwrap_or_default();
        // Every codec of the group: which sound is chosen changes nothing.
        let mut sound_codecs: Vec<String> =
            sounds.iter().flat_map(|(_, announced)| announced.codecs.clone()).collect();
        sound_codecs.sort();
        sound_codecs.dedup();
        let mut master = MasterPlaylist {
            independent_segments: self.presentation.tracks().iter().all(|line| line.independent),
            ..MasterPlaylist::default()
        };
        for (line, announced) in &videos {
            master.variants.push(self.variant(line, announced, loudest, &sound_codecs, !sounds.is_empty()));
            if !line.keys.is_empty() {
                master.i_frames.push(self.i_frames(line, announced));
            }
        }
        if videos.is_empty() {
            // Without pictures the sounds are the variants.
            for (line, announced) in &sounds {
                master.variants.push(self.variant(line, announced, (0, 0), &[], false));
            }
        } else {
            master.renditions = self.sounds(&sounds);
        }
        if has_subtitles {
            master.renditions.extend(self.texts());
            master.variants.iter_mut().for_each(|variant| variant.subtitles = Some(TEXT.to_owned()));
        }
        master.to_string()
    }

    pub(super) fn media(&self, name: LineName, line: &SegmentedTrack) -> String {
        self.playlist(name, line, &line.segments, "").to_string()
    }

    pub(super) fn keys(&self, name: LineName, line: &SegmentedTrack) -> Result<String, Refusal> {
        if line.keys.is_empty() {
            return Err(self.none(&format!("key frames in {name}")));
        }
        let playlist = self.playlist(name, line, &line.keys, "key-");
        Ok(MediaPlaylist { i_frames_only: true, ..playlist }.to_string())
    }

    /// The whole text as one segment: it is small, and players want all of it early.
    pub(super) fn subtitle_playlist(&self, number: usize) -> Result<String, Refusal> {
        if number >= self.subtitles.len() {
            return Err(self.none(&format!("subtitles {number}")));
        }
        let uri = format!("subtitles-{number}.vtt");
        let (start, end) = (self.presentation.start(), self.presentation.end());
        let segment = Segment { uri, start, end, ..Segment::default() };
        let playlist = MediaPlaylist {
            kind: Some(PlaylistType::Vod),
            segments: vec![segment],
            ended: true,
            ..MediaPlaylist::default()
        };
        Ok(playlist.to_string())
    }

    fn playlist(
        &self,
        name: LineName,
        line: &SegmentedTrack,
        cuts: &[MediaSegment],
        prefix: &str,
    ) -> MediaPlaylist {
        let begins = cuts.first().map_or(0, |cut| cut.era);
        let mut era = begins;
        let ends = cuts.iter().skip(1).map(|next| next.start).chain([line.end]);
        let segment = |(number, (cut, end)): (usize, (&MediaSegment, Timestamp))| Segment {
            uri: format!("{name}/{prefix}{number}.m4s{}", self.state),
            start: cut.start,
            end,
            map: Some(format!("{name}/init-{}.mp4{}", cut.configuration, self.state)),
            discontinuities: cut.era - std::mem::replace(&mut era, cut.era),
            ..Segment::default()
        };
        MediaPlaylist {
            kind: Some(PlaylistType::Vod),
            discontinuity_sequence: begins.into(),
            independent_segments: line.independent,
            segments: cuts.iter().zip(ends).enumerate().map(segment).collect(),
            ended: true,
            ..MediaPlaylist::default()
        }
    }

    fn variant(
        &self,
        line: &SegmentedTrack,
        announced: &Announced,
        sound: (u64, u64),
        sound_codecs: &[String],
        has_sound: bool,
    ) -> Variant {
        let (most, average) = line.bandwidth();
        let is_video = self.name(line).0.kind == MediaKind::Video;
        Variant {
            uri: format!("hls/{}.m3u8", self.name(line)),
            bandwidth: most + sound.0,
            average_bandwidth: average + sound.1,
            codecs: announced.codecs.iter().chain(sound_codecs).cloned().collect(),
            resolution: announced.resolution,
            frame_rate: announced.frame_rate.or_else(|| is_video.then(|| counted_rate(line)).flatten()),
            audio: has_sound.then(|| SOUND.to_owned()),
            subtitles: None,
        }
    }

    fn i_frames(&self, line: &SegmentedTrack, announced: &Announced) -> IFrameVariant {
        let (bandwidth, average_bandwidth) = line.key_bandwidth();
        IFrameVariant {
            uri: format!("hls/{}-keys.m3u8", self.name(line)),
            bandwidth,
            average_bandwidth,
            codecs: announced.codecs.clone(),
            resolution: announced.resolution,
        }
    }

    fn sounds(&self, sounds: &[(&SegmentedTrack, Announced)]) -> Vec<Rendition> {
        let mut renditions: Vec<Rendition> = Vec::with_capacity(sounds.len());
        for (line, announced) in sounds {
            let indexed = self.film.index().tracks().get(line.track);
            let language = indexed.and_then(|indexed| indexed.language.clone());
            let language = language.filter(|letters| letters != "und");
            let number = renditions.len() + 1;
            let wished = language.clone().unwrap_or_else(|| format!("Sound {number}"));
            let is_taken = renditions.iter().any(|rendition| rendition.name == wished);
            renditions.push(Rendition {
                kind: RenditionKind::Audio,
                group: SOUND.to_owned(),
                name: if is_taken { format!("{wished} {number}") } else { wished },
                language: language.map(|letters| subtitles::short_language(&letters)),
                default: number == 1,
                channels: announced.channels,
                uri: format!("hls/{}.m3u8", self.name(line)),
            });
        }
        renditions
    }

    fn texts(&self) -> impl Iterator<Item = Rendition> {
        self.subtitles.iter().enumerate().map(|(number, subtitle)| {
            let (language, name) = subtitles::name_of(self.film, subtitle);
            Rendition {
                kind: RenditionKind::Subtitles,
                group: TEXT.to_owned(),
                name,
                language,
                default: false,
                channels: None,
                uri: format!("hls/subtitles-{number}.m3u8"),
            }
        })
    }

    fn name(&self, line: &SegmentedTrack) -> LineName {
        let indexed = self.film.index().tracks().get(line.track);
        LineName(indexed.map_or(headwater_media::TrackId::DATA, |indexed| indexed.track.id))
    }

    /// What the playlists say of a track, of all configurations that it has.
    fn announced(&self, line: &SegmentedTrack) -> Announced {
        let mut announced = Announced::default();
        let numbers = line.configurations().into_iter();
        for described in numbers.filter_map(|number| line.described(self.film.index(), number)) {
            announced.add(described.track.codec, described.details());
        }
        announced
    }
}

/// Pictures per second over all; nothing for a film of one picture.
fn counted_rate(line: &SegmentedTrack) -> Option<f64> {
    let seconds = line.end.as_seconds();
    (line.samples > 1 && seconds > 0.0).then(|| line.samples as f64 / seconds)
}
