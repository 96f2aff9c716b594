"""What FFmpeg's demuxers see in a file, edit lists applied: the reference that films and what the doors give are held
against. PyAV carries the libraries; nothing of Headwater is used here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av

from units import Track, Unit

av.logging.set_level(None)

# NAL units that may stand in a configuration, in a frame, or in both, and those that carry nothing: what is left of an
# access unit without them are its slices and SEI.
SETS_H264 = {7, 8, 9, 12, 13}
SETS_H265 = {32, 33, 34, 35, 38}
SETS_H266 = {12, 13, 14, 15, 16, 20, 25}
# Codecs by the names that libav's decoders have.
DECODERS = {"libdav1d": "av1", "libaom-av1": "av1", "flv": "flv1", "mp3float": "mp3", "libopus": "opus"}
# Of AV1: the temporal delimiter, which containers leave out, and the sequence header, which is in `av1C` too.
OBUS_LEFT_OUT = {1, 2}


@dataclass
class Film:
    format: str
    tracks: list[Track]
    # Streams that are neither pictures nor sound: what they are.
    others: list[str]
    # What was taken from all times by `shifted`.
    origin: float = 0.0

    def of(self, kind: str) -> list[Track]:
        return [track for track in self.tracks if track.kind == kind]

    @property
    def start(self) -> float:
        """When the first thing is shown or heard. MP4 shows nothing before its time 0: what begins before it is cut."""
        first = min((unit.pts for track in self.tracks for unit in track.shown), default=0.0)
        return max(first, 0.0) if self.is_mp4 else first

    @property
    def is_form_of_ours(self) -> bool:
        """Of the containers that Headwater plays."""
        return self.is_mp4 or self.format == "flv"

    @property
    def is_mp4(self) -> bool:
        return "mp4" in self.format

    @property
    def end(self) -> float:
        return max((unit.end for track in self.tracks for unit in track.shown), default=0.0)

    def shifted(self) -> "Film":
        """With time 0 where the first thing is shown."""
        self.origin = start = self.start
        for track in self.tracks:
            for unit in track.units:
                unit.pts -= start
                unit.dts -= start
        return self


class Unreadable(Exception):
    """libav finds nothing that could be played."""


def read(path: Path | str) -> Film:
    """All access units of a file, in the file's order of decoding."""
    try:
        with av.open(str(path)) as container:
            film = _read(container)
        turned(film, str(path))
        return film
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        raise Unreadable(str(error)) from None


def _read(container) -> Film:
    tracks, others, framings = {}, [], {}
    for stream in container.streams:
        is_media = stream.type in ("video", "audio") and stream.codec_context is not None
        if not is_media or int(stream.disposition) & av.stream.Disposition.attached_pic:
            others.append(f"{stream.type} {stream.codec_context.name if stream.codec_context else ''}".strip())
            continue
        tracks[stream.index] = _track(stream)
        framings[stream.index] = _length_size(stream.codec_context.name, stream.codec_context.extradata)
    for packet in container.demux():
        track = tracks.get(packet.stream_index)
        # Of a file that was cut, the last one may have come by half.
        if track is None or not packet.size or packet.is_corrupt:
            continue
        for side in packet.iter_sidedata():
            if "EXTRADATA" in str(side.data_type).upper().replace("_", ""):
                framings[packet.stream_index] = _length_size(track.codec, bytes(side)) or framings[packet.stream_index]
        track.units.append(_unit(packet, track, framings[packet.stream_index]))
    film = Film(container.format.name, [track for track in tracks.values() if track.units], others)
    for track in film.tracks:
        _durations(track)
        _keys(track)
        if film.is_mp4:
            # Of fragments, libav does not mark what an edit list cuts away at the start.
            for unit in track.units:
                unit.shown &= unit.pts >= 0 or unit.end > 0.0005
    return film


def turned(film: Film, path: str) -> None:
    """Notes by how much the pictures of MP4 are turned: libav says it of decoded frames."""
    if not film.is_mp4 or not film.of("video"):
        return
    with av.open(path) as container:
        for packet in container.demux(video=0):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                return
            if frames:
                film.of("video")[0].rotation = int(frames[0].rotation or 0) % 360
                return


def _track(stream) -> Track:
    context = stream.codec_context
    track = Track(stream.type, context.name, language=stream.language or "")
    if stream.type == "video":
        track.width, track.height = context.width, context.height
        sar = stream.sample_aspect_ratio
        track.sar = float(sar) if sar else 1.0
        track.colour = tuple(int(value) for value in (context.color_primaries, context.color_trc, context.colorspace,
                                                      context.color_range))
    else:
        track.rate, track.channels = context.sample_rate, context.channels
        track.frame_samples = {"aac": 1024, "mp3": 1152, "mp3float": 1152}.get(context.name, 0)
    track.codec = DECODERS.get(context.name, context.name)
    return track


def _unit(packet, track: Track, length_size: int | None) -> Unit:
    base = float(packet.time_base or 0)
    dts = packet.dts if packet.dts is not None else packet.pts
    pts = packet.pts if packet.pts is not None else dts
    payload = _payload(bytes(packet), track.codec, length_size)
    digest = hashlib.md5(payload, usedforsecurity=False).hexdigest()[:12]
    return Unit(digest, (pts or 0) * base, (dts or 0) * base, (packet.duration or 0) * base, packet.is_keyframe,
                not packet.is_discard, _refreshes(payload, track.codec))


def _refreshes(payload: bytes, codec: str) -> bool:
    """Of a payload as `_payload` makes it."""
    if codec == "h264":
        return any(nal[0] & 31 == 5 for nal in _nals(payload, 4) if nal)
    if codec == "hevc":
        return any(16 <= nal[0] >> 1 & 63 <= 21 for nal in _nals(payload, 4) if nal)
    return False


def _keys(track: Track) -> None:
    """Containers lie: a table that calls every picture a keyframe, or one too few."""
    refreshing = sum(unit.refresh for unit in track.units)
    if track.codec not in ("h264", "hevc") or not refreshing:
        return
    flagged = sum(unit.key for unit in track.units)
    lies = flagged > 2 * refreshing and flagged * 10 > 9 * len(track.units)
    for unit in track.units:
        unit.key = unit.refresh or unit.key and not lies


def _durations(track: Track) -> None:
    """What no container says: until the next one, or as long as the one before."""
    by_time = sorted(track.units, key=lambda unit: unit.pts)
    for this, after in zip(by_time, by_time[1:]):
        if this.duration <= 0:
            this.duration = after.pts - this.pts
    if len(by_time) > 1 and by_time[-1].duration <= 0:
        by_time[-1].duration = by_time[-2].duration


def _length_size(codec: str, extradata: bytes | None) -> int | None:
    """Bytes of a NAL unit's length; None for start codes."""
    data = bytes(extradata or b"")
    if codec == "h264" and len(data) > 6 and data[0] == 1:
        return (data[4] & 3) + 1
    if codec == "hevc" and len(data) > 22 and data[0] == 1:
        return (data[21] & 3) + 1
    if codec == "vvc" and data and data[0] not in (0,):
        return (data[0] >> 1 & 3) + 1
    return None


def _payload(payload: bytes, codec: str, length_size: int | None) -> bytes:
    """The same for every framing and whether or not parameter sets are repeated."""
    payload = payload[_record_len(payload, codec, length_size):]
    if codec == "h264":
        return _without(_nals(payload, length_size), SETS_H264, lambda nal: nal[0] & 31)
    if codec == "hevc":
        return _without(_nals(payload, length_size), SETS_H265, lambda nal: nal[0] >> 1 & 63)
    if codec == "vvc":
        return _without(_nals(payload, length_size), SETS_H266, lambda nal: nal[1] >> 3 if len(nal) > 1 else 0)
    if codec == "av1":
        return b"".join(_obus(payload))
    if codec == "aac" and payload[:1] == b"\xff" and len(payload) > 7 and payload[1] & 0xF6 == 0xF0:
        return payload[7 if payload[1] & 1 else 9:]
    return payload


def _record_len(payload: bytes, codec: str, length_size: int | None) -> int:
    """Of the configuration record that programs put in front of key frames (`dump_extra`); the decoders of libav pass over
    it. As the length of a NAL unit, its first bytes lead beyond the frame."""
    if length_size != 4 or payload[:1] != b"\1" or int.from_bytes(payload[:4], "big") < len(payload):
        return 0
    if codec not in ("h264", "hevc") or len(payload) < 24:
        return 0

    def behind(at: int, count: int) -> int:
        for _ in range(count):
            at += 2 + int.from_bytes(payload[at:at + 2], "big")
        return at

    if codec == "hevc":
        at = 23
        for _ in range(payload[22]):
            at = behind(at + 3, int.from_bytes(payload[at + 1:at + 3], "big"))
        return at
    at = behind(6, payload[5] & 31)
    at = behind(at + 1, payload[at]) if at < len(payload) else at
    # Chroma format and depths of the high profiles: a length does not begin so.
    has_chroma = [byte >> bits for byte, bits in zip(payload[at:at + 3], (2, 3, 3))] == [63, 31, 31]
    return at + 4 if has_chroma else at


def _without(nals: list[bytes], left_out: set[int], kind) -> bytes:
    return b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals if nal and kind(nal) not in left_out)


def _nals(payload: bytes, length_size: int | None) -> list[bytes]:
    if length_size is None or payload[:4] == b"\0\0\0\1" and length_size != 4:
        return [part.rstrip(b"\0") for part in payload.split(b"\0\0\1") if part.rstrip(b"\0")]
    nals, at = [], 0
    while at + length_size <= len(payload):
        length = int.from_bytes(payload[at:at + length_size], "big")
        at += length_size
        nals.append(payload[at:at + length])
        at += length
    return nals


def _obus(payload: bytes):
    at = 0
    while at < len(payload):
        head, start = payload[at], at
        at += 2 if head & 4 else 1
        length = len(payload) - at
        if head & 2:
            length, shift = 0, 0
            while at < len(payload):
                byte = payload[at]
                at += 1
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
        if head >> 3 & 15 not in OBUS_LEFT_OUT:
            # Without the field of its size, which may be left out of the last one.
            yield bytes([head & 0x78]) + payload[at:at + length]
        at = max(at + length, start + 1)


@dataclass
class Picture:
    """Small, as RGB rows, turned as it is to be shown."""

    pixels: bytes
    width: int
    height: int
    rotation: int


SIDE = 24


def decode_jpeg(data: bytes) -> Picture:
    import io

    with av.open(io.BytesIO(data), format="jpeg_pipe") as container:
        for frame in container.decode(video=0):
            return _picture(frame)
    raise Unreadable("no picture in it")


def pictures(path: Path, all_frames: bool) -> dict[float, Picture]:
    """The shown pictures of the first picture track by time in seconds, or only its keyframes."""
    found = {}
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video
                      if not int(s.disposition) & av.stream.Disposition.attached_pic)
        stream.codec_context.skip_frame = "DEFAULT" if all_frames else "NONKEY"
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    found[float((frame.pts or 0) * frame.time_base)] = _picture(frame)
            except av.error.FFmpegError:
                continue
    return found


def _picture(frame) -> Picture:
    small = frame.reformat(SIDE, SIDE, "rgb24", interpolation="AREA")
    plane = small.planes[0]
    rows = bytes(plane)
    pixels = b"".join(rows[y * plane.line_size:y * plane.line_size + 3 * SIDE] for y in range(SIDE))
    rotation = int(getattr(frame, "rotation", 0) or 0) % 360
    return Picture(_turned(pixels, rotation), frame.width, frame.height, rotation)


def _turned(pixels: bytes, degrees: int) -> bytes:
    """Counter-clockwise, as libav says rotation."""
    at = lambda x, y: pixels[3 * (y * SIDE + x):3 * (y * SIDE + x) + 3]
    last = SIDE - 1
    places = {90: lambda x, y: (last - y, x), 180: lambda x, y: (last - x, last - y), 270: lambda x, y: (y, last - x)}
    place = places.get(degrees)
    if place is None:
        return pixels
    return b"".join(at(*place(x, y)) for y in range(SIDE) for x in range(SIDE))


def difference(a: Picture, b: Picture) -> float:
    """The mean difference of all values, 0 to 255."""
    return sum(abs(x - y) for x, y in zip(a.pixels, b.pixels)) / len(a.pixels)
