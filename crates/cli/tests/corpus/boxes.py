"""MP4 boxes taken apart, changed and put together again: forms that ffmpeg does not write (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf", b"udta", b"dinf"}


@dataclass
class Box:
    kind: bytes
    body: bytes = b""
    children: list["Box"] = field(default_factory=list)

    def child(self, *path: bytes) -> "Box":
        box = self
        for kind in path:
            box = next(child for child in box.children if child.kind == kind)
        return box

    def all(self, kind: bytes) -> list["Box"]:
        return [child for child in self.children if child.kind == kind]

    def remove(self, kind: bytes) -> None:
        self.children = [child for child in self.children if child.kind != kind]

    def encode(self) -> bytes:
        body = b"".join(child.encode() for child in self.children) if self.kind in CONTAINERS else self.body
        return struct.pack(">I", len(body) + 8) + self.kind + body


def parse(data: bytes) -> Box:
    """The file as a box that has no head of its own."""
    return Box(b"file", children=list(_boxes(data)))


def _boxes(data: bytes):
    at = 0
    while at + 8 <= len(data):
        size, kind, head = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8:at + 16], "big"), 16
        if size == 0:
            size = len(data) - at
        body = data[at + head:at + size]
        yield Box(kind, body, list(_boxes(body))) if kind in CONTAINERS else Box(kind, body)
        at += max(size, 8)


def encode(file: Box) -> bytes:
    return b"".join(box.encode() for box in file.children)


def with_moov_changed(data: bytes, change) -> bytes:
    """A whole file of one `moov` and one `mdat`, `moov` in front, after `change(moov)`. Places of chunks move along."""
    file = parse(data)
    moov = file.child(b"moov")
    before = _mdat(file.children)
    change(moov)
    file.children = [box for box in file.children if box.kind in (b"ftyp", b"moov", b"mdat")]
    file.children.sort(key=lambda box: [b"ftyp", b"moov", b"mdat"].index(box.kind))
    moved = _mdat(file.children) - before
    for trak in moov.all(b"trak"):
        table = trak.child(b"mdia", b"minf", b"stbl", b"stco")
        count = int.from_bytes(table.body[4:8], "big")
        places = struct.unpack(f">{count}I", table.body[8:8 + 4 * count])
        table.body = table.body[:8] + struct.pack(f">{count}I", *(place + moved for place in places))
    return encode(file)


def _mdat(boxes: list[Box]) -> int:
    at = 0
    for box in boxes:
        if box.kind == b"mdat":
            return at
        at += len(box.encode())
    raise ValueError("no mdat")


def is_kind(trak: Box, kind: str) -> bool:
    return trak.child(b"mdia", b"hdlr").body[8:12] == {"video": b"vide", "audio": b"soun"}[kind]


def timescale(trak: Box) -> int:
    return _scale(trak.child(b"mdia", b"mdhd").body, 12)


def movie_timescale(moov: Box) -> int:
    return _scale(moov.child(b"mvhd").body, 12)


def _scale(body: bytes, at: int) -> int:
    at = at if body[0] == 0 else at + 8
    return int.from_bytes(body[at:at + 4], "big")


def edited(data: bytes, edits: list[tuple[float | None, float]], kinds=("video", "audio")) -> bytes:
    """With an edit list of (from second or None for nothing, seconds long) in the tracks of these kinds. What the
    track's own list shifted (the delay of B-frames, the priming of AAC) stays shifted."""

    def change(moov: Box) -> None:
        movie = movie_timescale(moov)
        for trak in moov.all(b"trak"):
            if any(is_kind(trak, kind) for kind in kinds):
                scale, shift = timescale(trak), _first_media_time(trak)
                entries = [(round(seconds * movie), -1 if begin is None else round(begin * scale) + shift)
                           for begin, seconds in edits]
                trak.remove(b"edts")
                body = struct.pack(">II", 0, len(entries))
                body += b"".join(struct.pack(">Iihh", length, start, 1, 0) for length, start in entries)
                place = next(at for at, box in enumerate(trak.children) if box.kind == b"mdia")
                trak.children.insert(place, Box(b"edts", children=[Box(b"elst", body)]))

    return with_moov_changed(data, change)


def _first_media_time(trak: Box) -> int:
    for edts in trak.all(b"edts"):
        body = edts.child(b"elst").body
        count = int.from_bytes(body[4:8], "big")
        for number in range(count):
            start = struct.unpack(">i", body[12 + 12 * number:16 + 12 * number])[0]
            if start >= 0:
                return start
    return 0


def without_table(data: bytes, kind: bytes) -> bytes:
    """Without that table of the samples, in all tracks."""
    return with_moov_changed(
        data, lambda moov: [trak.child(b"mdia", b"minf", b"stbl").remove(kind) for trak in moov.all(b"trak")])


def lasting_for_years(data: bytes, kind: str) -> bytes:
    """Whose table has each sample of those tracks last as long as its field can say, in seconds."""

    def change(moov: Box) -> None:
        for trak in moov.all(b"trak"):
            if is_kind(trak, kind):
                head, table = trak.child(b"mdia", b"mdhd"), trak.child(b"mdia", b"minf", b"stbl", b"stts")
                head.body = head.body[:12] + struct.pack(">I", 1) + head.body[16:]
                count = int.from_bytes(trak.child(b"mdia", b"minf", b"stbl", b"stsz").body[8:12], "big")
                table.body = struct.pack(">IIII", 0, 1, count, 0x7FFFFFFF)

    return with_moov_changed(data, change)


def turned(data: bytes) -> bytes:
    """Shown turned by a quarter, as a telephone notes it (the matrix of `tkhd`)."""
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)

    def change(moov: Box) -> None:
        for trak in moov.all(b"trak"):
            if is_kind(trak, "video"):
                head = trak.child(b"tkhd")
                head.body = head.body[:40] + matrix + head.body[76:]

    return with_moov_changed(data, change)


def entry_changed(data: bytes, change) -> bytes:
    """With the sample entry of the pictures changed: `change(entry bytes) -> entry bytes`, heads included."""

    def in_moov(moov: Box) -> None:
        for trak in moov.all(b"trak"):
            if is_kind(trak, "video"):
                table = trak.child(b"mdia", b"minf", b"stbl", b"stsd")
                table.body = table.body[:8] + change(table.body[8:])

    return with_moov_changed(data, in_moov)


# Of a VisualSampleEntry, its head included, before its own boxes.
VISUAL_HEAD = 86


def with_box_in_entry(entry: bytes, box: Box) -> bytes:
    boxes = [other for other in _boxes(entry[VISUAL_HEAD:]) if other.kind != box.kind]
    body = entry[4:VISUAL_HEAD] + b"".join(other.encode() for other in [*boxes, box])
    return struct.pack(">I", len(body) + 4) + body


def sets_in_band(entry: bytes) -> bytes:
    """`avc1` as `avc3`, without a parameter set in it: those are in the frames."""
    config = next(box for box in _boxes(entry[VISUAL_HEAD:]) if box.kind == b"avcC").body
    bare = with_box_in_entry(entry, Box(b"avcC", config[:5] + b"\xe0\0"))
    return bare[:4] + b"avc3" + bare[8:]


def joined(first: bytes, second: bytes) -> bytes:
    """The pictures of both in one track with two sample descriptions, as QuickTime joins recordings."""
    one, two = (_pictures(data) for data in (first, second))
    file = parse(first)
    moov = file.child(b"moov")
    moov.children = [box for box in moov.children if box.kind != b"trak" or is_kind(box, "video")]
    trak = moov.child(b"trak")
    trak.remove(b"edts")
    table = trak.child(b"mdia", b"minf", b"stbl")
    counts = [len(one.sizes), len(two.sizes)]
    ftyp = file.child(b"ftyp").encode()
    start = len(ftyp) + 8
    keys = [*one.keys, *(key + counts[0] for key in two.keys)]
    bodies = {
        b"stsd": struct.pack(">II", 0, 2) + one.entry + two.entry,
        b"stts": struct.pack(">IIII", 0, 1, sum(counts), one.step),
        b"stsz": struct.pack(">III", 0, 0, sum(counts)) + struct.pack(f">{sum(counts)}I", *one.sizes, *two.sizes),
        b"stss": struct.pack(">II", 0, len(keys)) + struct.pack(f">{len(keys)}I", *keys),
        b"stsc": struct.pack(">8I", 0, 2, 1, counts[0], 1, 2, counts[1], 2),
        b"stco": struct.pack(">4I", 0, 2, start, start + sum(one.sizes)),
    }
    table.children = [Box(kind, body) for kind, body in bodies.items()]
    for head in (trak.child(b"mdia", b"mdhd"),):
        head.body = head.body[:16] + struct.pack(">I", sum(counts) * one.step) + head.body[20:]
    seconds = sum(counts) * one.step / timescale(trak)
    length = struct.pack(">I", round(seconds * movie_timescale(moov)))
    head, movie = trak.child(b"tkhd"), moov.child(b"mvhd")
    head.body = head.body[:20] + length + head.body[24:]
    movie.body = movie.body[:16] + length + movie.body[20:]
    return ftyp + Box(b"mdat", one.data + two.data).encode() + moov.encode()


@dataclass
class _Pictures:
    entry: bytes
    sizes: list[int]
    keys: list[int]
    step: int
    data: bytes


def _pictures(data: bytes) -> _Pictures:
    """Of a file of pictures alone, in one run, without B-frames."""
    file = parse(data)
    table = file.child(b"moov", b"trak", b"mdia", b"minf", b"stbl")
    numbers = lambda body, at: list(struct.unpack(f">{(len(body) - at) // 4}I", body[at:]))
    sizes = numbers(table.child(b"stsz").body, 12)
    chunks = numbers(table.child(b"stco").body, 8)
    return _Pictures(table.child(b"stsd").body[8:], sizes, numbers(table.child(b"stss").body, 8),
                     numbers(table.child(b"stts").body, 8)[1], data[chunks[0]:chunks[0] + sum(sizes)])


def initialisation(data: bytes) -> bytes:
    """Of a fragmented file, what stands before its fragments."""
    return encode(Box(b"file", children=[box for box in parse(data).children if box.kind in (b"ftyp", b"moov")]))


def fragments(data: bytes) -> bytes:
    """Of a fragmented file, its fragments alone."""
    return encode(Box(b"file", children=[box for box in parse(data).children if box.kind in (b"moof", b"mdat")]))
