"""Films of a directory, damaged by chance, at the doors that read a whole film: the server must live, answer in time
and keep its memory.

    python3 mutants.py headwater DIRECTORY COUNT [SEED]

The same seed makes the same damage. A mutant that did harm is kept, and its path printed. Needs nothing but Python.
"""

from __future__ import annotations

import random
import re
import shutil
import struct
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boxes
from server import Doors, Server

# A debug build that draws pictures of small films holds a third of it.
RESIDENT_MB_MAX = 256
SECONDS_MAX = 10
# At a time, as viewers come.
TOGETHER = 4
EXTREMES = [0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
ANSWERS = {200, 206, 400, 404, 410, 415, 416, 422, 501, 503}


def main() -> int:
    binary, directory, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    films = sorted(path for path in directory.iterdir() if path.suffix in (".mp4", ".mov", ".m4a", ".f4v", ".flv"))
    harmful = Path(tempfile.gettempdir()) / "headwater-harmful"
    began, most, played, problems = time.monotonic(), 0.0, 0, []
    with tempfile.TemporaryDirectory(prefix="headwater-mutants-") as folder, Server(binary, Path(folder)) as server:
        reached = Doors(binary, server.http, server.rtmp)

        def one(number: int) -> tuple[int, list[str]]:
            chance = random.Random(seed * 1_000_003 + number)
            film = chance.choice(films)
            path = Path(folder) / f"{number}-{film.name}"
            path.write_bytes(mutate(film.read_bytes(), film.suffix, chance))
            plays, wrong = ask(reached, path.name, chance)
            if "panicked at" in server.log() or not server.lives():
                wrong.append("the server panicked or died; this one, or one that was asked for beside it")
            if wrong:
                harmful.mkdir(exist_ok=True)
                shutil.copy(path, harmful / path.name)
            path.unlink()
            return plays, [f"{harmful / path.name}: {text}" for text in wrong]

        with ThreadPoolExecutor(TOGETHER) as pool:
            for plays, wrong in pool.map(one, range(count)):
                played += plays
                problems += wrong
                most = max(most, server.resident_mb() if server.lives() else 0)
                if not server.lives():
                    pool.shutdown(cancel_futures=True)
                    break
        panics = [line for line in server.log().splitlines() if "panicked at" in line]
    if most > RESIDENT_MB_MAX:
        problems.append(f"the server held {most:.0f} MB, {RESIDENT_MB_MAX} are allowed")
    if not played:
        problems.append("no mutant plays: the damage is so large that nothing is tested")
    print("\n".join([*dict.fromkeys(problems), *dict.fromkeys(panics)]))
    print(f"{count} mutants of seed {seed}, {played} still play, {most:.0f} MB at most, {time.monotonic() - began:.0f} s")
    return int(bool(problems or panics))


def ask(reached: Doors, name: str, chance: random.Random) -> tuple[int, list[str]]:
    """Everything that reads the film. Whether it plays, and what is wrong."""
    film, stem = f"/vod/{name}", f"/vod/{name.rsplit('.', 1)[0]}"
    start = chance.choice(["0", "0.5", "1.7", "2.9", "4000000"])
    wrong, plays = [], 0
    paths = [f"/api/v1/films{film}", f"{film}/index.m3u8", f"{film}/thumbnail.jpg?t={start}", f"{film}/sprite.vtt",
             f"{stem}.mp4?start={start}", f"{stem}.flv?start={start}", f"{stem}.flv"]
    while paths:
        path = paths.pop(0)
        began = time.monotonic()
        try:
            answer = reached.get(path, timeout=SECONDS_MAX)
        except OSError as error:
            wrong.append(f"{path}: {type(error).__name__} after {time.monotonic() - began:.1f} s: {error}")
            continue
        except Exception as error:  # noqa: BLE001: half an answer is what a film that ends early gives
            if "IncompleteRead" not in type(error).__name__:
                wrong.append(f"{path}: {error}")
            continue
        if answer.status not in ANSWERS:
            wrong.append(f"{path}: answered {answer.status} {answer.text[:200]}")
        if path.endswith(".m3u8") and answer.status == 200:
            plays = 1
            lines = re.findall(r'^[^#\s].*|(?<=URI=")[^"]+', answer.body.decode("utf-8", "replace"), re.M)
            chosen = lines if len(lines) < 6 else [*lines[:3], *chance.sample(lines, 2)]
            paths += [urllib.parse.urljoin(path, line) for line in chosen]
    return plays, wrong


def mutate(data: bytes, ending: str, chance: random.Random) -> bytes:
    if not data:
        return data
    form = tags if ending == ".flv" else in_boxes
    for _ in range(chance.choice([1, 1, 2, 5])):
        data = chance.choice([bits, fields, form, form])(data, chance)
        if chance.random() < 0.08:
            data = data[:chance.randrange(len(data) + 1)]
        if not data:
            break
    return data


def bits(data: bytes, chance: random.Random) -> bytes:
    """Turned over, most of them near the start or the end, where the tables are."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 3, 20, 200])):
        changed[_place(len(data), chance)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def fields(data: bytes, chance: random.Random) -> bytes:
    """Numbers of four bytes made extreme."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 2, 8])):
        at = _place(len(data), chance)
        changed[at:at + 4] = struct.pack(">I", chance.choice(EXTREMES))[:len(changed) - at]
    return bytes(changed)


def _place(length: int, chance: random.Random) -> int:
    near = min(length, 3000)
    return chance.choice([chance.randrange(near), length - 1 - chance.randrange(near), chance.randrange(length)])


def in_boxes(data: bytes, chance: random.Random) -> bytes:
    """A box is left out, doubled, emptied, moved, renamed, or its first numbers made extreme."""
    file = boxes.parse(data)
    parent = file
    while parent.children and (parent is file or chance.random() < 0.85):
        inner = [child for child in parent.children if child.children]
        if not inner:
            break
        parent = chance.choice(inner)
    if not parent.children:
        return data
    at = chance.randrange(len(parent.children))
    box = parent.children[at]
    match chance.randrange(7):
        case 0:
            parent.children.pop(at)
        case 1:
            parent.children.insert(at, box)
        case 2:
            chance.shuffle(parent.children)
        case 3:
            box.kind = chance.choice([b"free", b"stts", b"ctts", b"stsz", b"stsc", b"elst", b"trun", b"avcC", b"mdat"])
        case 4:
            box.body, box.children = box.body[:chance.randrange(len(box.body) + 1)], box.children
        case _:
            body = bytearray(box.body)
            for _ in range(chance.choice([1, 2, 6])):
                if len(body) >= 4:
                    place = 4 * chance.randrange(min(len(body) // 4, 12))
                    body[place:place + 4] = struct.pack(">I", chance.choice(EXTREMES))
            box.body = bytes(body)
    return boxes.encode(file)


def tags(data: bytes, chance: random.Random) -> bytes:
    """FLV tags are left out, doubled, changed in order, or given extreme times and lengths."""
    found, at = [], 13
    while at + 11 <= len(data):
        size = int.from_bytes(data[at + 1:at + 4], "big") + 15
        found.append(bytearray(data[at:at + size]))
        at += size
    if not found:
        return data
    for _ in range(chance.choice([1, 4, 12])):
        number = chance.randrange(len(found))
        tag = found[number]
        match chance.randrange(5):
            case 0 if len(found) > 1:
                found.pop(number)
            case 1:
                found.insert(chance.randrange(len(found)), tag)
            case 2:
                tag[4:8] = struct.pack(">I", chance.choice(EXTREMES))
            case 3:
                tag[1:4] = struct.pack(">I", chance.choice(EXTREMES))[1:]
            case _ if len(tag) > 12:
                tag[11:13] = chance.randbytes(2)
    return data[:13] + b"".join(found)


if __name__ == "__main__":
    sys.exit(main())
