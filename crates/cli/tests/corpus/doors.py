"""One film at every door. Each check yields what is wrong, as a sentence; a refusal that is in its place is a `Refusal`."""

from __future__ import annotations

import json
import random
import re
import subprocess
import tempfile
import threading
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import compare
import libav
import rtmp_player
from server import Doors, address, wait_until

# Durations may differ by this, or by a frame if that is longer.
DURATION_S_MAX = 0.06
# The mean difference of the values of two pictures, of 255: JPEG and scaling give less, another second of a film ten times
PICTURE_MAX = 14.0
# What Headwater says that it plays, by libav's names.
PLAYED = {"h264", "hevc", "vvc", "av1", "vp8", "vp9", "aac", "mp3", "opus", "flac", "ac3", "eac3", "flv1", "vp6f", "vp6a",
          "flashsv", "flashsv2", "speex", "nellymoser", "adpcm_swf", "pcm_alaw", "pcm_mulaw", "pcm_s16le", "pcm_u8", "pcm_s8"}
# What HLS carries; other tracks are left out, and the rest of the film is played.
IN_HLS = {"h264", "hevc", "av1", "vp9", "aac", "mp3", "opus", "flac", "ac3", "eac3"}
SPOKEN = {"hevc": "H.265", "h264": "H.264", "vvc": "H.266", "flv1": "Sorenson", "eac3": "E-AC-3", "ac3": "AC-3", "vp6f": "VP6"}


class Refused(Exception):
    """A door says no. `status` 0: not by HTTP."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status, self.text = status, text


@dataclass
class Case:
    """A film at a running server, and what libav sees in it."""

    path: Path
    name: str
    film: libav.Film
    doors: Doors
    seed: int
    folder: Path

    @property
    def url(self) -> str:
        return "/vod/" + address(self.name)

    @property
    def stem(self) -> str:
        return self.url.rsplit(".", 1)[0]

    def body(self, path: str) -> bytes:
        answer = self.doors.get(path)
        if answer.status != 200:
            raise Refused(answer.status, answer.text)
        return answer.body

    def saved(self, data: bytes, name: str) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    @property
    def video(self):
        return next((t for t in self.film.tracks if t.kind == "video" and t.codec in PLAYED), None)

    @property
    def audio(self):
        return next((t for t in self.film.tracks if t.kind == "audio" and t.codec in PLAYED), None)

    @property
    def first_of_each(self) -> list:
        return [track for track in (self.video, self.audio) if track]

    @property
    def all_tracks(self) -> list:
        return [track for track in self.film.tracks if track.codec in PLAYED]

    @property
    def delay(self) -> float:
        """How long before the film's first moment something of it is decoded."""
        return max((-unit.dts for track in self.film.tracks for unit in track.units), default=0.0)

    @property
    def frame(self) -> float:
        """The longest time that anything is shown at the end."""
        return max((track.shown[-1].duration for track in self.all_tracks if track.shown), default=0.0)

    def seeks(self) -> list[float]:
        """Three places by chance, and the last picture. None in a film that shows a piece twice: which of them came
        cannot be told from bytes."""
        if any(len({unit.digest for unit in track.shown}) < len(track.shown) for track in self.first_of_each):
            return []
        chance = random.Random(self.seed)
        leader = self.video or self.audio
        last = max(unit.pts for unit in leader.shown)
        if leader is self.audio:
            # An edit list may end within the last frame.
            last -= leader.shown[-1].duration
        places = [round(chance.uniform(0, last), 3) for _ in range(3)]
        return [*places, round(last + min(0.005, leader.shown[-1].duration / 2), 3)]


def catalogue(case: Case):
    about = json.loads(case.body("/api/v1/films" + case.url))
    allowed = max(DURATION_S_MAX, case.frame + 0.005)
    if abs(about["duration"] - case.film.end) > allowed:
        yield f"the duration is {about['duration']:.3f} s, and {case.film.end:.3f} s are shown"
    told = [track for track in about["tracks"] if track["kind"] in ("video", "audio")]
    for kind in ("video", "audio"):
        there = [track for track in told if track["kind"] == kind]
        wanted = [track for track in case.all_tracks if track.kind == kind]
        if len(there) != len(wanted):
            yield f"{len(there)} {kind} tracks of {len(wanted)}"
            continue
        for track, want in zip(there, wanted):
            yield from _described(track, want)
    if len(case.all_tracks) + len(case.film.others) < len(case.film.tracks) and not about["notes"]:
        yield "no note says what is left out"


def _described(track: dict, want):
    if want.kind == "video":
        if (track.get("width"), track.get("height")) != (want.width, want.height):
            yield f"the size is {track.get('width')} x {track.get('height')}, not {want.width} x {want.height}"
    else:
        if track.get("sample_rate") != want.rate:
            yield f"the rate is {track.get('sample_rate')}, not {want.rate}"
        # libav takes one channel of HE-AAC for two, whether or not there is parametric stereo.
        is_mono = want.channels == 2 and track.get("codec_string") == "mp4a.40.5" and track.get("channels") == 1
        if want.channels and track.get("channels") != want.channels and not is_mono:
            yield f"{track.get('channels')} channels, not {want.channels}"
    if want.language not in ("", "und") and track.get("language") != want.language:
        yield f"the language is {track.get('language')}, not {want.language}"


def file(case: Case):
    data = case.path.read_bytes()
    if case.body(case.url) != data:
        yield "the file comes as another"
    start = case.seed % len(data)
    answer = case.doors.get(case.url, {"Range": f"bytes={start}-{start + 999}"})
    if answer.status != 206 or answer.body != data[start:start + 1000]:
        yield f"a range from byte {start} on comes as another: {answer.status}"


def rtmp(case: Case):
    yield from _rtmp(case, 0)


def rtmp_start(case: Case):
    for place in case.seeks():
        yield from _rtmp(case, place)


def _rtmp(case: Case, at_s: float):
    try:
        data = rtmp_player.play(case.doors.rtmp, "vod", case.name, int(at_s * 1000))
    except rtmp_player.Refused as refused:
        raise Refused(0, str(refused)) from None
    yield from _flv(case, data, int(at_s * 1000) / 1000, "whole" if at_s == 0 else f"start {at_s:.3f}")


def flv(case: Case):
    if not case.name.lower().endswith(".flv"):
        yield from _flv(case, case.body(case.stem + ".flv"), 0.0, "whole")
    for place in [0.0, *case.seeks()]:
        label = f"?start={place:g}"
        yield from _flv(case, case.body(f"{case.stem}.flv{label}"), place, label)


def _flv(case: Case, data: bytes, at_s: float, label: str):
    got = _read(case, data, "came.flv", label)
    if isinstance(got, str):
        yield got
        return
    if at_s == 0:
        wanted = {track.kind: compare.whole(track) for track in case.first_of_each}
    else:
        leader = case.video or case.audio
        first = compare.key_before(leader, at_s) if case.video else compare.seen_at(leader, at_s)
        wanted = {track.kind: compare.from_key(track, at_s, first) for track in case.first_of_each}
    runs = {}
    for kind, want in wanted.items():
        tracks = got.of(kind)
        runs[kind] = compare.compare(want, tracks[0].units if tracks else [], f"{label}: {kind}")
        yield from runs[kind].problems
    yield from (f"{label}: {text}" for text in compare.same_shift(runs))
    yield from _begins(case, got, runs, label)


def _begins(case: Case, got, runs: dict, label: str):
    """FLV has no time below zero: it begins at 0 with what is decoded first, and what is shown at 0 is later by the
    delay of decoding alone."""
    first = min((unit.dts for track in got.tracks for unit in track.units), default=0.0)
    if not -0.001 <= first <= 0.05:
        yield f"{label}: the time begins at {first:.3f} s"
    moved = next((run.moved for run in runs.values() if run.moved is not None), None)
    if label == "whole" and moved is not None and not -0.003 <= moved <= case.delay + 0.1:
        yield f"{label}: the film's first moment is at {moved:.3f} s"


def mp4(case: Case):
    if case.name.lower().endswith(".flv"):
        yield from _mp4(case, case.body(case.stem + ".mp4"), 0.0, "whole")
    own = case.url if not case.name.lower().endswith(".flv") else case.stem + ".mp4"
    for place in [0.0, *case.seeks()]:
        label = f"?start={place:g}"
        yield from _mp4(case, case.body(own + label), place, label)


def _mp4(case: Case, data: bytes, at_s: float, label: str):
    got = _read(case, data, "came.mp4", label)
    if isinstance(got, str):
        yield got
        return
    leader = case.video or case.audio
    seen = compare.seen_at(leader, at_s)
    runs = {}
    for number, track in enumerate(case.all_tracks):
        name = f"{label}: {track.kind}" + (f" {number}" if len(case.all_tracks) > 2 else "")
        want = compare.whole(track) if at_s == 0 else compare.from_picture(track, at_s, seen.pts)
        same = [other for other in case.all_tracks[:number] if other.kind == track.kind]
        tracks = got.of(track.kind)
        there = tracks[len(same)] if len(same) < len(tracks) else None
        runs[name] = compare.compare(want, there.shown if there else [], name)
        yield from runs[name].problems
        if there:
            yield from (f"{label}: {text}" for text in _carried(there, track))
            if track.kind == "audio":
                yield from (f"{label}: {text}" for text in compare.even_sound(there, track))
    yield from (f"{label}: {text}" for text in compare.same_shift(runs))
    moved = next((run.moved for run in runs.values() if run.moved is not None), None)
    slack = 0.004 + max((run.drift_ms_max for run in runs.values()), default=0) / 1000
    if moved is not None and not -at_s - slack <= moved <= -min(seen.pts, at_s) + slack:
        yield f"{label}: time 0 is second {-moved:.3f} of the film"


def _carried(got, want):
    """What a picture needs to be shown right."""
    if want.kind != "video":
        return
    if abs(got.sar - want.sar) > 0.01:
        yield f"the pixels' shape is {got.sar:.3f}, not {want.sar:.3f}"
    if got.rotation != want.rotation:
        yield f"it is turned by {got.rotation}, not {want.rotation}"
    if any(g != w and w not in (0, 2) for g, w in zip(got.colour, want.colour)):
        yield f"the colours are {got.colour}, not {want.colour}"


def _read(case: Case, data: bytes, name: str, label: str):
    try:
        return libav.read(case.saved(data, name))
    except libav.Unreadable as error:
        return f"{label}: libav cannot read what came ({len(data)} bytes): {error}"


def hls(case: Case):
    master = case.body(case.url + "/index.m3u8").decode()
    if not master.startswith("#EXTM3U"):
        yield "the master playlist is none"
    media = re.findall(r'^#EXT-X-MEDIA:.*TYPE=AUDIO.*URI="([^"]+)"', master, re.M)
    variants = re.findall(r"^#EXT-X-STREAM-INF:.*\n([^#\n]+)", master, re.M)
    runs, left = {}, list(case.all_tracks)
    for uri in dict.fromkeys([*variants, *media]):
        yield from _rendition(case, urllib.parse.urljoin(case.url + "/index.m3u8", uri), left, runs)
    for track in left:
        if track.codec not in IN_HLS:
            continue
        yield f"no rendition of {track.kind} {track.codec}"
    yield from compare.same_shift(runs)


def _rendition(case: Case, url: str, left: list, runs: dict):
    text = case.body(url).decode()
    label = url.rsplit("/", 1)[1]
    lengths = [float(value) for value in re.findall(r"^#EXTINF:([\d.]+)", text, re.M)]
    target = int(re.search(r"^#EXT-X-TARGETDURATION:(\d+)", text, re.M)[1])
    if any(round(length) > target for length in lengths):
        yield f"{label}: a segment of {max(lengths):.3f} s with a target of {target} s"
    got = _segments(case, url, text)
    if isinstance(got, str):
        yield f"{label}: {got}"
        return
    # Of alike tracks, the one whose frames they are.
    mine = {unit.digest for unit in got.units}
    fits = [track for track in left if track.kind == got.kind and mine & {unit.digest for unit in track.units}]
    if not fits:
        yield f"{label}: nothing of it is of the film"
        return
    track = fits[0]
    left.remove(track)
    run = compare.compare(compare.whole(track), got.shown, label)
    runs[label] = run
    yield from run.problems
    yield from (f"{label}: {text}" for text in _carried(got, track))
    yield from (f"{label}: {text}" for text in compare.even_sound(got, track))
    span = max(unit.end for unit in track.shown)
    if abs(sum(lengths) - span) > max(0.1, case.frame + 0.09) and abs(sum(lengths) - case.film.end) > 0.1:
        yield f"{label}: {sum(lengths):.3f} s of segments for {span:.3f} s"
    if run.moved is not None and not -0.003 <= run.moved <= case.delay + 0.1:
        yield f"{label}: time 0 is second {-run.moved:.3f} of the film"


def _segments(case: Case, url: str, playlist: str):
    """All segments behind their initialisation segments, read as one file for each of those."""
    parts, track = [], None
    for line in playlist.splitlines():
        if found := re.match(r'#EXT-X-MAP:URI="([^"]+)"', line):
            parts.append([case.body(urllib.parse.urljoin(url, found[1]))])
        elif line and not line.startswith("#"):
            parts[-1].append(case.body(urllib.parse.urljoin(url, line)))
    for number, part in enumerate(parts):
        try:
            film = libav.read(case.saved(b"".join(part), f"era-{number}.mp4"))
        except libav.Unreadable as error:
            return f"libav cannot read its segments: {error}"
        if len(film.tracks) != 1:
            return f"{len(film.tracks)} tracks in a segment"
        if track is None:
            track = film.tracks[0]
        else:
            track.units += film.tracks[0].units
    return track if track else "no segments"


def thumbnail(case: Case):
    if not case.video:
        return
    places = [0.0, *case.seeks()]
    drawn = [(place, libav.decode_jpeg(case.body(f"{case.url}/thumbnail.jpg?t={place:g}"))) for place in places]
    found = libav.pictures(case.path, all_frames=case.film.end < 60)
    shown = {time - case.film.origin: picture for time, picture in found.items()}
    keys = sorted(unit.pts for unit in case.video.shown if unit.key)
    for place, picture in drawn if keys else []:
        # The keyframe before it, or, if that was cut away, the first picture that is shown or the next keyframe.
        key = max((time for time in keys if time <= place + 0.001), default=None)
        times = [key] if key is not None else [min(shown), *keys[:1]]
        fits = [other for time, other in shown.items() if any(abs(time - want) < 0.002 for want in times)]
        if not fits:
            continue
        least = min(libav.difference(picture, other) for other in fits)
        if least > PICTURE_MAX:
            nearest = min(shown, key=lambda time: libav.difference(picture, shown[time]))
            yield f"?t={place:g}: not the picture at {times[0]:.3f} s (differs by {least:.0f}); most like that at {nearest:.3f} s"
        want = fits[0]
        shape = want.width * case.video.sar / want.height
        shape = 1 / shape if want.rotation in (90, 270) else shape
        if abs(picture.width / picture.height / shape - 1) > 0.04:
            yield f"?t={place:g}: {picture.width} x {picture.height} is not its shape ({shape:.2f})"


def probe(case: Case):
    done = case.doors.run("probe", str(case.path), "--json")
    if done.returncode:
        raise Refused(0, done.stderr.decode("utf-8", "replace").strip())
    report = json.loads(done.stdout)
    if abs(report["duration_seconds"] - case.film.end) > max(DURATION_S_MAX, case.frame + 0.005):
        yield f"the duration is {report['duration_seconds']:.3f} s, and {case.film.end:.3f} s are shown"
    for kind in ("video", "audio"):
        wanted = [track for track in case.all_tracks if track.kind == kind]
        frames = [track["frames"] for track in report["tracks"] if track["kind"] == kind]
        if len(frames) != len(wanted):
            yield f"{len(frames)} {kind} tracks of {len(wanted)}"
        for count, track in zip(frames, wanted):
            slack = 2 if len(track.shown) < len(track.units) and kind == "audio" else 0
            if not len(track.shown) - slack <= count <= len(track.units) + slack:
                yield f"{count} frames of {kind}, not {len(track.shown)}"


def publish(case: Case):
    """Our client publishes the film; who waits at the HTTP door gets all of it."""
    name = f"corpus-{case.seed}"
    came: list[bytes] = []

    def watch() -> None:
        try:
            came.append(case.doors.get(f"/live/{name}.flv").body)
        except OSError:
            # Nothing comes; that is said below.
            pass

    viewer = threading.Thread(target=watch, daemon=True)
    viewer.start()
    wait_until(lambda: _viewers(case, name), 5)
    url = f"rtmp://{case.doors.rtmp[0]}:{case.doors.rtmp[1]}/live/{name}"
    done = case.doors.run("publish", "--speed", "6", str(case.path), url)
    if done.returncode:
        raise Refused(0, done.stderr.decode("utf-8", "replace").strip())
    viewer.join(20)
    if not came:
        yield "the viewer's answer does not end"
        return
    got = _read(case, came[0], "live.flv", "live")
    if isinstance(got, str):
        yield got
        return
    runs = {}
    for track in case.first_of_each:
        tracks = got.of(track.kind)
        want = compare.whole(track)
        if track.kind == "audio" and case.video:
            # Who waits for a stream begins with its first picture, as everybody who joins.
            first = min(unit.pts for unit in case.video.shown)
            want.must = {at for at in want.must if track.units[at].pts > first}
        runs[track.kind] = compare.compare(want, tracks[0].units if tracks else [], track.kind)
        yield from runs[track.kind].problems
    yield from compare.same_shift(runs)


def _viewers(case: Case, name: str) -> bool:
    answer = case.doors.get(f"/api/v1/streams/live/{name}")
    return answer.status == 200 and json.loads(answer.body).get("viewers", 0) > 0


ALL = {"catalogue": catalogue, "file": file, "RTMP": rtmp, "RTMP start": rtmp_start, "FLV": flv, "MP4": mp4, "HLS": hls,
       "thumbnail": thumbnail, "probe": probe, "publish": publish}


def names_the_reason(refused: Refused, film: libav.Film | None) -> bool:
    """Whether a sentence says what is in the way: a codec that is there, or what kind of file it is."""
    text = refused.text
    if film is not None:
        codecs = {word for track in film.tracks for word in (track.codec, SPOKEN.get(track.codec, track.codec))}
        return any(codec.lower() in text.lower() for codec in codecs)
    return len(text) > 30


def _class(refused: Refused, film: libav.Film) -> str:
    """Of a refusal at one door of a film that others play."""
    if refused.status not in (0, 415, 501):
        return "wrong"
    return "clear refusal" if names_the_reason(refused, film) else "unclear refusal"


def check(case: Case) -> list[tuple[str, str, str]]:
    """(door, class, sentence) of everything that is not as it should be."""
    found = []
    for door, examine in ALL.items():
        try:
            found += [(door, "wrong", text) for text in examine(case)]
        except Refused as refused:
            found.append((door, _class(refused, case.film), f"{refused.status} {refused.text}"))
        except (ConnectionError, TimeoutError, subprocess.TimeoutExpired, OSError) as error:
            found.append((door, "crash", f"{type(error).__name__}: {error}"))
        except Exception as error:  # noqa: BLE001: one surprise must not hide all other films
            found.append((door, "wrong", f"what came cannot be understood: {type(error).__name__}: {error}"))
    return found
