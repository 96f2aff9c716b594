"""What came, held against what libav sees in the film: an unbroken run of the same access units in the same order, each
at its time. Knows no door."""

from __future__ import annotations

from dataclasses import dataclass

# Clocks of whole milliseconds on both sides, and sound that was put back on its even steps.
DRIFT_MS_MAX = 2.1
# Behind the last picture that is shown may stand pictures that it was decoded from: no more than are ever reordered.
REORDERED_MAX = 3
# Before the first thing that is heard, a decoder may be given so many frames of sound to prime it.
PRIMING_UNITS_MAX = 3
# What begins longer before the first shown moment (a frame of sound that its table has last for years) is heard from there
# on: when it came is no time to compare.
BEGUN_BEFORE_S_MAX = 0.25


@dataclass
class Wanted:
    """Of one track: `must` are positions in its units that have to come, all others may where `may` says so."""

    track: object
    must: set[int]
    may: set[int]


@dataclass
class Run:
    """What was found of a track."""

    problems: list[str]
    # What has to be added to a time of the film to have the time at which it came, in seconds; None if nothing came.
    moved: float | None = None
    # How far its times may be off, in milliseconds.
    drift_ms_max: float = DRIFT_MS_MAX


def compare(wanted: Wanted, got: list, label: str) -> Run:
    """`got`: the units that came and are shown, in their order."""
    reference = wanted.track.units
    if not got:
        return Run([f"{label}: nothing came"] if wanted.must else [])
    if not wanted.must and not wanted.may:
        return Run([f"{label}: {len(got)} came, none is wanted"] if len(got) > PRIMING_UNITS_MAX else [])
    starts = [at for at, unit in enumerate(reference) if unit.digest == got[0].digest]
    if not starts:
        return Run([f"{label}: the first that came is not of the film"])
    # Where several begin alike (silence, a piece that is shown twice), the one that fits best.
    walks = [_walk(wanted, got, start) for start in starts[:40]]
    pairs, problem = max(walks, key=lambda walk: (sum(at in wanted.must for at, _ in walk[0]),
                                                  sum(at in wanted.may for at, _ in walk[0]), walk[1] is None))
    run = Run([f"{label}: {problem}"] if problem else [])
    came = {at for at, _ in pairs}
    missing = sorted(wanted.must - came)
    if missing and not problem:
        run.problems.append(f"{label}: {len(missing)} of {len(wanted.must)} did not come, the first is number "
                            f"{missing[0]} at {reference[missing[0]].pts:.3f} s")
    timed = [(at, unit) for at, unit in pairs if at in wanted.must and reference[at].pts > -BEGUN_BEFORE_S_MAX]
    if not timed:
        run.problems += [f"{label}: {text}" for text in _extra(wanted, pairs, pairs)]
        return run
    steps = sorted(unit.pts - reference[at].pts for at, unit in timed)
    run.moved = steps[len(steps) // 2]
    if wanted.track.kind == "audio" and _is_cut_inside(reference):
        # A later edit begins within a frame of sound: its own time is as good as that of a gapless run.
        run.drift_ms_max += 1000 * max(unit.duration for unit in reference)
    run.problems += [f"{label}: {text}" for text in _times(reference, timed, run)]
    run.problems += [f"{label}: {text}" for text in _extra(wanted, pairs, timed)]
    return run


def _walk(wanted: Wanted, got: list, at: int):
    """Pairs of positions in the film and units that came; what may be left out is stepped over."""
    reference, pairs = wanted.track.units, []
    for number, unit in enumerate(got):
        while at < len(reference) and reference[at].digest != unit.digest and at not in wanted.must:
            at += 1
        if at >= len(reference):
            return pairs, f"number {number} comes behind the film's end"
        if reference[at].digest != unit.digest:
            return pairs, f"number {number} is not number {at} of the film ({reference[at].pts:.3f} s)"
        pairs.append((at, unit))
        at += 1
    return pairs, None


def _is_cut_inside(reference: list) -> bool:
    """Whether something is left out between what is shown: several edits."""
    shown = [at for at, unit in enumerate(reference) if unit.shown]
    jumps = any(b.pts - a.pts > 1.5 * a.duration + 0.001 for a, b in zip(reference, reference[1:]))
    return bool(shown) and (shown[-1] - shown[0] + 1 != len(shown) or jumps)


def _times(reference: list, timed: list, run: Run):
    for at, unit in timed:
        drift = (unit.pts - reference[at].pts - run.moved) * 1000
        if abs(drift) > run.drift_ms_max:
            yield f"number {at} at {reference[at].pts:.3f} s is {drift:+.1f} ms out of step"
            break
    for (_, before), (at, unit) in zip(timed, timed[1:]):
        if unit.dts < before.dts - 0.0005:
            yield f"number {at} goes back in time by {(before.dts - unit.dts) * 1000:.1f} ms"
            break


def _extra(wanted: Wanted, pairs: list, timed: list):
    """What is only decoded may come, but not be shown for a time of its own."""
    extra = [(at, unit) for at, unit in pairs if at not in wanted.must]
    foreign = [at for at, _ in extra if at not in wanted.may]
    if foreign:
        yield f"{len(foreign)} come that the film does not show here, the first is number {foreign[0]}"
    if wanted.track.kind != "video":
        return
    long, behind, last = [], 0, max(unit.pts for _, unit in timed)
    for at, unit in extra:
        after = min((other.pts for number, other in timed if number > at), default=None)
        if after is None or unit.pts > last:
            behind += 1
        elif unit.pts > after + 0.001 and not wanted.track.units[at].shown:
            long.append(at)
    if long:
        yield f"{len(long)} pictures that are only decoded have a time of their own, the first is number {long[0]}"
    if behind > REORDERED_MAX:
        yield f"{behind} pictures come behind the last that is shown"


def whole(track) -> Wanted:
    """The whole film, from its first shown moment to its end."""
    must = {at for at, unit in enumerate(track.units) if unit.shown}
    # An edit cuts sound within a frame: whether that one counts is a matter of taste.
    if track.kind == "audio" and len(must) < len(track.units):
        ordered = sorted(must)
        must -= set(ordered[:1]) | set(ordered[-1:])
    return Wanted(track, must, set(range(len(track.units))))


def from_key(track, at_s: float, key) -> Wanted:
    """From a keyframe at or before that time on, as FLV and RTMP begin."""
    units = track.units
    if track.kind == "video":
        first = next(at for at, unit in enumerate(units) if unit is key)
        must = {at for at in range(first, len(units)) if units[at].shown}
        return Wanted(track, must, set(range(first, len(units))))
    # A keyframe that is cut away, or behind that time, does not say when the sound begins.
    begins = key.pts if key.shown and key.pts <= at_s else at_s
    return _sound_from(track, begins, early=0.25 + max(0.0, begins - key.pts))


def from_picture(track, at_s: float, shown_pts: float) -> Wanted:
    """From the picture that is seen at that time on, as a part in MP4 shows it."""
    if track.kind == "video":
        must = {at for at, unit in enumerate(track.units) if unit.shown and unit.pts >= shown_pts - 0.0005}
        return Wanted(track, must, must | {at for at, unit in enumerate(track.units) if not unit.shown})
    return _sound_from(track, at_s, early=0.1)


def _sound_from(track, at_s: float, early: float) -> Wanted:
    edge = max((unit.duration for unit in track.units), default=0.0) + 0.03
    must = {at for at, unit in enumerate(track.units) if unit.shown and unit.pts > at_s + edge}
    if any(not unit.shown for unit in track.units) and must:
        must -= {max(must)}
    may = {at for at, unit in enumerate(track.units) if unit.end > at_s - early}
    # At the film's start there is nothing that could be left out before it.
    return Wanted(track, must, may | must)


def key_before(track, at_s: float):
    """The keyframe at or before that time, or the first there is."""
    keys = [at for at, unit in enumerate(track.units) if unit.key]
    before = [at for at in keys if _seen_from(track, at) <= at_s + 0.0005]
    best = max(before, key=lambda at: (_seen_from(track, at), at)) if before else keys[0] if keys else None
    return None if best is None else track.units[best]


def _seen_from(track, at: int) -> float:
    """When a keyframe is shown, or, of one that is only decoded, what it is decoded for."""
    return next((unit.pts for unit in track.units[at:] if unit.shown), track.units[at].pts)


def seen_at(track, at_s: float):
    """What is shown at that time."""
    shown = sorted(track.shown, key=lambda unit: unit.pts)
    before = [unit for unit in shown if unit.pts <= at_s + 0.0005]
    return before[-1] if before else shown[0] if shown else None


def same_shift(runs: dict[str, Run]) -> list[str]:
    """Sound and picture have moved alike."""
    moved = {label: run.moved for label, run in runs.items() if run.moved is not None}
    if len(moved) < 2:
        return []
    least, most = min(moved, key=moved.get), max(moved, key=moved.get)
    apart = (moved[most] - moved[least]) * 1000
    allowed = max(runs[least].drift_ms_max, runs[most].drift_ms_max) + 1
    return [f"{most} is {apart:.1f} ms behind {least}"] if apart > allowed else []


def even_sound(track, reference) -> list[str]:
    """Frames of sound in MP4 are as long as their samples, also where the film's times are whole milliseconds."""
    if not reference.frame_samples or not reference.rate:
        return []
    step = reference.frame_samples / reference.rate
    units = [unit for unit in track.units if unit.shown]
    original = [unit for unit in reference.units if unit.shown]
    is_even = all(abs(b.pts - a.pts - step) < 0.0015 for a, b in zip(original, original[1:]))
    uneven = [number for number, (a, b) in enumerate(zip(units, units[1:])) if abs(b.pts - a.pts - step) > 0.0001]
    return [f"{len(uneven)} frames of sound are not {reference.frame_samples} samples long"] if is_even and uneven else []
