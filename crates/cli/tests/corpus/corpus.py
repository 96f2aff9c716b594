"""Every film of a directory at every door of the built server, held against what libav sees in the file.

    python3 corpus.py headwater DIRECTORY      needs PyAV (`pip install av`)
    python3 corpus.py headwater DIRECTORY NAME…    these films alone; what is known is not judged

Prints a table by class and a line for all that is wrong; exit 1 if anything is wrong, crashed or refused without a reason
that is not listed in `known.py`, or if what is listed there has become right.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import zlib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import doors
import known
import libav
from server import Doors, Server, address

ENDINGS = {".mp4", ".m4v", ".mov", ".m4a", ".f4v", ".flv"}
CLASSES = ["pass", "clear refusal", "known", "unclear refusal", "wrong", "crash"]
FAILING = {"unclear refusal", "wrong", "crash"}


@dataclass
class Verdict:
    name: str
    verdict: str
    # (door, class, sentence)
    findings: list[tuple[str, str, str]]


def main() -> int:
    binary, directory, *only = sys.argv[1:]
    media = Path(directory).resolve()
    files = sorted(path for path in media.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file()
                   and not any(part.startswith(".") for part in path.relative_to(media).parts))
    if only:
        files = [path for path in files if any(fnmatch(path.relative_to(media).as_posix(), name) for name in only)]
    if not files:
        print(f"no films in {media}")
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="headwater-corpus-") as served, Server(binary, Path(served)) as server:
        reached = Doors(binary, server.http, server.rtmp)
        work = [(path, path.relative_to(media).as_posix(), serve(path, number, Path(served)), reached)
                for number, path in enumerate(files)]
        # Half of the time is spent waiting for what comes at its own pace.
        with ProcessPoolExecutor(2 * (os.cpu_count() or 2)) as pool:
            verdicts = list(pool.map(judge, work))
        panics = [line for line in server.log().splitlines() if "panicked at" in line]
        lives, resident = server.lives(), server.resident_mb()
    return report(verdicts, panics, lives, resident, time.monotonic() - began, judge_known=not only)


def serve(path: Path, number: int, media: Path) -> str:
    """Puts a film where the server finds it, in a folder of its own: `film.flv` is another form of `film.mp4`."""
    name = f"{number}/{path.name}"
    (media / str(number)).mkdir()
    (media / name).symlink_to(path)
    return name


def judge(work: tuple[Path, str, str, Doors]) -> Verdict:
    """In a process of its own: one film at all doors."""
    path, name, served, reached = work
    folder = Path(tempfile.mkdtemp(prefix="headwater-film-"))
    try:
        try:
            film = libav.read(path).shifted()
        except libav.Unreadable:
            film = None
        if film is None or not film.is_form_of_ours or not any(track.codec in doors.PLAYED for track in film.tracks):
            return refusal(name, served, film, reached)
        # The same places in the same film in every run.
        seed = zlib.crc32(name.encode())
        findings = doors.check(doors.Case(path, served, film, reached, seed, folder))
        worst = max((CLASSES.index(kind) for _, kind, _ in findings if kind in FAILING), default=0)
        return Verdict(name, CLASSES[worst], findings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refusal(name: str, served: str, film, reached: Doors) -> Verdict:
    """What libav finds nothing playable in either, or what is no MP4 or FLV: it has to be told what it is. Of what libav
    does not know, that it is neither of ours says all there is to say."""
    try:
        answer = reached.get(f"/vod/{address(served)}/index.m3u8")
    except (ConnectionError, OSError) as error:
        return Verdict(name, "crash", [("HLS", "crash", str(error))])
    said = doors.Refused(answer.status, answer.text)
    if answer.status not in (404, 415, 422):
        return Verdict(name, "wrong", [("HLS", "wrong", f"answered {answer.status}, though nothing in it can be played")])
    told = doors.names_the_reason(said, None) and not (
        film and any(phrase in said.text for phrase in known.EXPLAIN_NOTHING))
    kind = "clear refusal" if told else "unclear refusal"
    return Verdict(name, kind, [("HLS", kind, f"{said.status} {said.text}")])


def report(verdicts: list[Verdict], panics: list[str], lives: bool, resident: float, seconds: float,
           judge_known: bool) -> int:
    excused: Counter = Counter()
    for verdict in verdicts:
        open_findings = [found for found in verdict.findings if found[1] in FAILING]
        covered = {found: known.reason_for(verdict.name, found[0], found[2]) for found in open_findings}
        excused.update(entry for entry in covered.values() if entry)
        if open_findings and all(covered.values()):
            verdict.verdict = "known"
        show(verdict.name, [found for found in open_findings if not covered[found]])
    counts = Counter(verdict.verdict for verdict in verdicts)
    print("\n".join(f"{name:16} {counts[name]:5}" for name in CLASSES))
    stale = [entry for entry in known.FAULTS if judge_known and not excused[entry] and known.concerns(entry, verdicts)]
    for entry in stale:
        print(f"right now, strike it from known.py: {entry.film}: {entry.door}: {entry.says}")
    for line in panics:
        print(f"the server panicked: {line}")
    if not lives:
        print("the server died")
    print(f"{len(verdicts)} films in {seconds:.0f} s; the server holds {resident:.0f} MB")
    return int(bool(stale or panics or not lives or any(counts[name] for name in FAILING)))


def show(name: str, findings: list[tuple[str, str, str]]) -> None:
    """A line for each door: what is wrong first, and how much else is."""
    for door in dict.fromkeys(found[0] for found in findings):
        _, kind, text = next(found for found in findings if found[0] == door)
        more = sum(found[0] == door for found in findings) - 1
        print(f"{kind:16} {name}: {door}: {text}" + (f" (and {more} more)" if more else ""))


if __name__ == "__main__":
    sys.exit(main())
