"""The small corpus: a few dozen forms of film, made by ffmpeg and, where it does not write a form, by `boxes`.

    python3 recipes.py DIRECTORY           what the test needs and is not there yet; what no recipe names is deleted
    python3 recipes.py --long DIRECTORY    and some hundred variations

`HEADWATER_FFMPEG` names an ffmpeg that muxes Enhanced RTMP into FLV (8 or later).
"""

from __future__ import annotations

import base64
import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import boxes

# Every second has a colour of its own, no two frames are alike, and no two frames of sound.
PICTURE = "-f lavfi -i testsrc2=size={size}:rate=25:duration={seconds},hue=h='100*floor(t)'"
SOUND = "-f lavfi -i anoisesrc=r={rate}:d={seconds}:seed={seed}:a=0.2"
X264 = "-c:v libx264 -preset veryfast -g 25 -keyint_min 25 -sc_threshold 0 -pix_fmt yuv420p"
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=25:min-keyint=25:scenecut=0"
B2, B0 = "-bf 2 -b_strategy 0", "-bf 0"
AAC = "-c:a aac -b:a 64k"
FRONT = "-movflags +faststart"
FRAGMENTS = "-movflags frag_keyframe+empty_moov+default_base_moof"


def picture(seconds: float = 4, size: str = "160x120") -> str:
    return PICTURE.format(size=size, seconds=seconds)


def sound(seconds: float = 4, rate: int = 44100, seed: int = 7) -> str:
    return SOUND.format(rate=rate, seconds=seconds, seed=seed)


SOURCES = [Path(__file__), Path(boxes.__file__)]

BOTH = f"{picture()} {sound()} {X264}"


@dataclass(frozen=True)
class Recipe:
    """`arguments` of ffmpeg, then `change` of the file's bytes, if any. `newer`: of an ffmpeg that knows Enhanced RTMP."""

    name: str
    arguments: str
    change: object = None
    newer: bool = False


def films() -> list[Recipe]:
    return [*containers(), *edits(), *codecs(), *tracks(), *he_aac(), *descriptions(), *refusals()]


def containers() -> list[Recipe]:
    return [
        Recipe("behind.mp4", f"{BOTH} {B2} {AAC}"),
        Recipe("front.m4v", f"{BOTH} {B2} {AAC} {FRONT} -f mp4"),
        Recipe("baseline-48-mono.mp4", f"{picture()} {sound(rate=48000)} {X264} -profile:v baseline {AAC} -ac 1"),
        Recipe("quick.mov", f"{BOTH} {B2} {AAC}"),
        Recipe("flash.f4v", f"{BOTH} {B2} {AAC} -f f4v"),
        Recipe("fragments.mp4", f"{BOTH} {B2} {AAC} {FRAGMENTS}"),
        Recipe("fragments-edited.mp4", f"{BOTH} {B2} {AAC} -movflags frag_keyframe+delay_moov"),
        Recipe("fragments-late.mp4", f"{BOTH} {B2} {AAC} {FRAGMENTS} -output_ts_offset 100"),
        Recipe("dash.mp4", f"{BOTH} {B2} {AAC} -movflags dash+delay_moov -frag_duration 500000"),
        Recipe("negative.mp4", f"{BOTH} {B2} {AAC} -movflags negative_cts_offsets"),
        Recipe("variable.mp4", f"{BOTH} {B0} {AAC} -vf select='lt(t,2)+not(mod(n,3))' -vsync vfr"),
        Recipe("plain.flv", f"{BOTH} {B2} {AAC}"),
        Recipe("indexed.flv", f"{BOTH} {B2} {AAC} -flvflags add_keyframe_index"),
        Recipe("late.flv", f"{BOTH} {B2} {AAC} -output_ts_offset 100"),
        Recipe("sound-first.flv", f"-itsoffset 1.2 {picture()} {sound(6)} {X264} {B2} {AAC}"),
        Recipe("pictures-first.flv", f"{picture()} -itsoffset 1.2 {sound(3)} {X264} {B0} {AAC}"),
    ]


def edits() -> list[Recipe]:
    base = f"{picture(6)} {sound(6)} {X264} {AAC} {FRONT}"
    trimmed = lambda *pieces, **kinds: lambda data: boxes.edited(data, list(pieces), **kinds)
    return [
        Recipe("trim-at-key.mp4", f"{base} {B0}", trimmed((2, 2.5))),
        Recipe("trim-in-group.mp4", f"{base} {B2}", trimmed((1.32, 2.4))),
        Recipe("trim-end.mov", f"{base} {B2} -f mov", trimmed((0, 3.2))),
        Recipe("trim-pictures.mp4", f"{base} {B0}", trimmed((1, 5), kinds=("video",))),
        Recipe("trim-later.mp4", f"{base} {B0}", trimmed((None, 0.6), (2, 2))),
        Recipe("two-edits.mp4", f"{base} {B0}", trimmed((1, 1), (4, 1.2))),
        Recipe("late-start.mp4", f"{BOTH} {B2} {AAC} -output_ts_offset 5"),
        Recipe("late-pictures.mp4", f"-itsoffset 0.7 {picture()} {sound(5)} {X264} {B2} {AAC}"),
        Recipe("late-sound.mp4", f"{picture()} -itsoffset 0.9 {sound(3)} {X264} {B0} {AAC}"),
        Recipe("trim-sound.m4a", f"{sound(6)} {AAC} -f mp4 {FRONT}", trimmed((1.5, 3))),
    ]


def codecs() -> list[Recipe]:
    both = f"{picture(3)} {sound(3, 48000)}"
    hevc = HEVC
    av1 = "-c:v libaom-av1 -cpu-used 8 -g 25 -row-mt 1 -lag-in-frames 0"
    vp9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25"
    enhanced = f"{picture(3)} {sound(3, 48000)}"
    return [
        Recipe("hevc.mp4", f"{both} {hevc} -tag:v hvc1 {AAC}"),
        Recipe("hevc-in-band.mp4", f"{both} {hevc}:repeat-headers=1 -tag:v hev1 {AAC}"),
        Recipe("av1.mp4", f"{both} {av1} -c:a libopus"),
        Recipe("vp9.mp4", f"{both} {vp9} -c:a flac -strict -2"),
        Recipe("mp3.mp4", f"{both} {X264} {B0} -c:a libmp3lame -b:a 64k"),
        Recipe("ac3.mp4", f"{both} {X264} {B0} -c:a ac3"),
        Recipe("eac3.mp4", f"{both} {X264} {B0} -c:a eac3"),
        Recipe("mp3-mono.flv", f"{picture(3)} {sound(3)} {X264} {B0} -c:a libmp3lame -b:a 64k -ac 1"),
        Recipe("sorenson.flv", f"{picture(3)} {sound(3)} -c:v flv1 -g 25 -c:a libmp3lame -ar 44100"),
        Recipe("hevc-aac.flv", f"{enhanced} {hevc} {AAC}", newer=True),
        Recipe("av1-opus.flv", f"{enhanced} {av1} -c:a libopus", newer=True),
        Recipe("vp9-flac.flv", f"{enhanced} {vp9} -c:a flac", newer=True),
    ]


def tracks() -> list[Recipe]:
    languages = "-metadata:s:a:0 language=eng -metadata:s:a:1 language=deu"
    subtitle = "1\n00:00:00,500 --> 00:00:02,000\nA line of words\n"
    return [
        Recipe("sound.m4a", f"{sound()} {AAC} -f ipod"),
        Recipe("sound-alone.flv", f"{sound()} {AAC}"),
        Recipe("sound-mp3.mp4", f"{sound()} -c:a libmp3lame -ac 1"),
        Recipe("picture.mp4", f"{picture()} {X264} {B2}"),
        Recipe("pictures-alone.flv", f"{picture()} {X264} {B0}"),
        Recipe("one-picture.mp4", f"{picture()} {X264} -frames:v 1"),
        Recipe("two-sounds.mp4", f"{picture()} {sound()} {sound(seed=9, rate=48000)} -map 0 -map 1 -map 2 {X264} {B2} {AAC} {languages}"),
        Recipe("text-track.mp4", f"{picture()} {sound()} -f srt -i {Text(subtitle)} -map 0 -map 1 -map 2 {X264} {B0} {AAC} -c:s mov_text"),
    ]


def descriptions() -> list[Recipe]:
    alone = f"{picture(3)} {X264} {B0} {FRONT}"
    both = f"{picture(3)} {sound(3)} {X264} {AAC} {FRONT}"
    colours = boxes.Box(b"colr", b"nclx" + bytes([0, 9, 0, 16, 0, 9, 0x80]))
    pixels = boxes.Box(b"pasp", bytes([0, 0, 0, 4, 0, 0, 0, 3]))
    in_entry = lambda box: lambda data: boxes.entry_changed(data, lambda entry: boxes.with_box_in_entry(entry, box))
    return [
        Recipe("avc3-in-band.mp4", f"{both} {B2} -bsf:v dump_extra", lambda data: boxes.entry_changed(data, boxes.sets_in_band)),
        Recipe("no-sync-table.mp4", f"{both} {B0}", lambda data: boxes.without_table(data, b"stss")),
        Recipe("turned.mp4", f"{both} {B0}", boxes.turned),
        Recipe("colours.mp4", f"{both} {B0}", in_entry(colours)),
        Recipe("pixels.mp4", f"{both} {B0}", in_entry(pixels)),
        Recipe("wide-pixels.mp4", f"{picture(3)},setsar=16/11 {sound(3)} {X264} {B0} {AAC}"),
        Recipe("sizes-in-band.mp4", "", lambda _: sizes_in_band(X264, "")),
        Recipe("sizes-in-band-avc3.mp4", "", lambda _: sizes_in_band(X264, "-tag:v avc3")),
        Recipe("sizes-in-band-hev1.mp4", "", lambda _: sizes_in_band(HEVC, "-tag:v hev1")),
        Recipe("record-in-front.mp4", both, lambda data: copied([data], "mp4", "-bsf:v dump_extra")),
        Recipe("sound-for-years.mp4", f"{both} {B2}", lambda data: boxes.lasting_for_years(data, "audio")),
        Recipe("two-descriptions.mp4", alone, lambda data: boxes.joined(data, made_bytes(f"{picture(3, '120x160')} {X264} {B0} {FRONT}"))),
    ]


def refusals() -> list[Recipe]:
    return [
        Recipe("no-initialisation-alone.mp4", f"{BOTH} {B2} {AAC} {FRAGMENTS}", boxes.initialisation),
        Recipe("no-segment-alone.mp4", f"{BOTH} {B2} {AAC} {FRAGMENTS}", boxes.fragments),
        Recipe("no-transport-stream.mp4", f"{BOTH} {B2} {AAC} -f mpegts"),
        Recipe("no-matroska.mp4", f"{BOTH} {B2} {AAC} -f matroska"),
        Recipe("no-wave.flv", f"{sound(1)} -f wav"),
        Recipe("no-text.mp4", "", lambda _: b"This is a text about films, not a film.\n" * 40),
        Recipe("no-zeros.flv", "", lambda _: bytes(5000)),
        Recipe("no-empty.mp4", "", lambda _: b""),
    ]


class Text:
    """A text that ffmpeg reads as a file."""

    def __init__(self, text: str):
        self.text = text

    def __str__(self) -> str:
        return f"data:text/plain;base64,{base64.b64encode(self.text.encode()).decode()}"


def made_bytes(arguments: str, ending: str = "mp4", newer: bool = False) -> bytes:
    """What ffmpeg writes."""
    ffmpeg = os.environ.get("HEADWATER_FFMPEG", "ffmpeg") if newer else "ffmpeg"
    with tempfile.TemporaryDirectory(prefix="headwater-recipe-") as folder:
        path = Path(folder) / f"film.{ending}"
        command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-threads", "1", *arguments.split(), "-map_metadata", "-1", str(path)]
        done = subprocess.run(command, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"ffmpeg {arguments}: {done.stderr.decode()}")
        return path.read_bytes()


def copied(films: list[bytes], ending: str, arguments: str) -> bytes:
    """The films one behind the other, their frames as they are."""
    with tempfile.TemporaryDirectory(prefix="headwater-recipe-") as folder:
        paths = [Path(folder) / f"{number}.{ending}" for number in range(len(films))]
        for path, film in zip(paths, films):
            path.write_bytes(film)
        return made_bytes(f"-i concat:{'|'.join(map(str, paths))} -c copy {arguments}")


def sizes_in_band(coder: str, tag: str) -> bytes:
    """The size changes twice, which nothing but parameter sets in front of key frames says."""
    part = lambda size: made_bytes(f"{picture(2, size)} {sound(2)} {coder} {B0} {AAC}", "ts")
    small, large = part("160x120"), part("320x240")
    return copied([small, large, small], "ts", f"{FRONT} {tag}")


def he_aac() -> list[Recipe]:
    """HE-AAC that no configuration announces: no encoder of it is free, so the films are among the test data."""
    data = Path(__file__).parents[4] / "testdata"
    return [Recipe(name, "", lambda _, name=name: (data / name).read_bytes())
            for name in ("he-aac.mp4", "he-aac-mono.mp4", "he-aac-v2.mp4")]


def make(recipe: Recipe, directory: Path) -> None:
    """Makes the film if it is not there as this recipe has it. Whole or not at all."""
    path, mark = directory / recipe.name, directory / ".recipes" / recipe.name
    # A change is a function: what it does stands in these two files.
    text = recipe.arguments + "".join(source.read_text() for source in SOURCES if recipe.change)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if path.exists() and mark.exists() and mark.read_text() == digest:
        return
    data = made_bytes(recipe.arguments, recipe.name.rsplit(".", 1)[1], recipe.newer) if recipe.arguments else b""
    if recipe.change:
        data = recipe.change(data)
    part = directory / ".recipes" / f"{recipe.name}.part"
    part.write_bytes(data)
    part.rename(path)
    # It was made long ago: what was written to just now may still grow.
    os.utime(path, (1_700_000_000, 1_700_000_000))
    mark.write_text(digest)


def main() -> int:
    arguments = argparse.ArgumentParser(description="Makes the films of the corpus test.")
    arguments.add_argument("--long", action="store_true", help="some hundred films more")
    arguments.add_argument("directory", type=Path, help="where they are kept; other files in it are removed")
    asked = arguments.parse_args()
    wanted = films()
    if asked.long:
        from variations import variations
        wanted += variations()
    directory = asked.directory
    (directory / ".recipes").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda recipe: make(recipe, directory), wanted))
    names = {recipe.name for recipe in wanted}
    for path in [*directory.iterdir(), *(directory / ".recipes").iterdir()]:
        if path.is_file() and path.name not in names:
            path.unlink()
    print(f"{len(wanted)} films in {directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
