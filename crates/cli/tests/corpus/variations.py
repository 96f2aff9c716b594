"""Some hundred films for `./test --long`: container, codecs, edit, cut and first time in all combinations that make sense."""

from __future__ import annotations

from itertools import product

import boxes
from recipes import AAC, B0, B2, FRAGMENTS, FRONT, X264, Recipe, picture, sound

SECONDS = 3
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=25:min-keyint=25:scenecut=0"
VIDEO = {
    "reordered": f"{X264} {B2}",
    "straight": f"{X264} {B0}",
    "pyramid": f"{X264} -bf 4 -b-pyramid normal -refs 4",
    "open": f"{X264} {B2} -x264-params open-gop=1",
    "hevc": f"{HEVC} -tag:v hvc1",
    "none": "",
}
# Its rate, and how it is encoded.
AUDIO = {
    "aac": (44100, AAC),
    "aac-mono": (48000, f"{AAC} -ac 1"),
    "mp3": (44100, "-c:a libmp3lame -b:a 64k"),
    "opus": (48000, "-c:a libopus"),
    "none": (0, ""),
}
CONTAINERS = {
    "behind": ("mp4", ""),
    "front": ("mp4", FRONT),
    "quick": ("mov", "-f mov"),
    "fragments": ("mp4", FRAGMENTS),
    "edited-fragments": ("mp4", "-movflags frag_keyframe+delay_moov"),
    "flv": ("flv", ""),
}
FIRST_TIMES = {"": "", "-late": "-output_ts_offset 7.36"}
EDITS = {
    "at-key": [(1, 1.5)],
    "in-group": [(0.52, 1.6)],
    "on-the-last": [(0, 1.04)],
    "one-picture": [(1.4, 0.04)],
    "to-the-end": [(1.84, 1.16)],
    "late": [(None, 0.5), (0, 2)],
    "late-in-group": [(None, 0.48), (0.72, 1.2)],
    "two": [(0.2, 0.8), (1.6, 1)],
    "backwards": [(2, 0.8), (0.4, 0.8)],
    "twice": [(1, 0.6), (1, 0.6)],
}
SEVERAL = {"two", "backwards", "twice"}
CUTS = [0.3, 0.6, 0.9]


def variations() -> list[Recipe]:
    return [*whole(), *edited(), *cut()]


def whole() -> list[Recipe]:
    films = []
    for (container, (ending, form)), (video, pictures), (audio, (rate, sounds)), (late, offset) in product(
            CONTAINERS.items(), VIDEO.items(), AUDIO.items(), FIRST_TIMES.items()):
        # FLV holds what ffmpeg 5 muxes into it; MOV no Opus.
        if video == audio == "none" or container == "flv" and (video == "hevc" or audio in ("opus",)) or (
                container == "quick" and audio == "opus"):
            continue
        films.append(Recipe(f"{container}-{video}-{audio}{late}.{ending}", f"{_inputs(video, rate)} {pictures} {sounds} {form} {offset}"))
    return films


def _inputs(video: str, rate: int) -> str:
    return " ".join([picture(SECONDS) if video != "none" else "", sound(SECONDS, rate) if rate else ""])


def edited() -> list[Recipe]:
    films = []
    for (name, pieces), video, kinds in product(EDITS.items(), ["reordered", "straight", "hevc", "none"],
                                                [("video", "audio"), ("video",)]):
        # Of reordered pictures, libav itself is a frame off where a later edit begins.
        if video == "none" and kinds == ("video",) or name in SEVERAL and video in ("reordered", "hevc"):
            continue
        change = lambda data, pieces=pieces, kinds=kinds: boxes.edited(data, pieces, kinds=kinds)
        label = "-pictures" if len(kinds) == 1 else ""
        films.append(Recipe(f"edit-{name}-{video}{label}.mp4", f"{_inputs(video, 44100)} {VIDEO[video]} {AAC} {FRONT}", change))
    return films


def cut() -> list[Recipe]:
    """As after a crash or a broken copy: the start of the file."""
    films = []
    for (container, (ending, form)), part in product(CONTAINERS.items(), CUTS):
        if container not in ("behind", "quick"):
            change = lambda data, part=part: data[:int(len(data) * part)]
            films.append(Recipe(f"cut-{container}-{int(part * 100)}.{ending}",
                                f"{_inputs('reordered', 44100)} {X264} {B2} {AAC} {form}", change))
    return films
