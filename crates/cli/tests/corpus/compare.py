"""What came, held against what libav sees in the film: an unbroken run of the same access units in the same order, each
at its time. Knows no door."""

from __future__ import annotations

from dataclasses import dataclass

# Clocks of whole milliseconds on both sides, and sound that was put back on its even steps.
DRIFT_MS_MAX = 2.1
# Before the first thing that is heard, a decoder may be given so many frames of sound to prime it.
PRIMING_UNITS_MAX = 3


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
    # The first of what came that had to come, as a position in the film's track.
    first: int | None = None


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
    # Where several begin alike (silence), the one that fits longest.
    walks = [_walk(wanted, got, start) for start in starts[:40]]
    pairs, problem = max(walks, key=lambda walk: (len(walk[0]), walk[1] is None))
    run = Run([f"{label}: {problem}"] if problem else [])
    came = {at for at, _ in pairs}
    missing = sorted(wanted.must - came)
    if missing and not problem:
        run.problems.append(f"{label}: {len(missing)} of {len(wanted.must)} did not come, the first is number "
                            f"{missing[0]} at {reference[missing[0]].pts:.3f} s")
    timed = [(at, unit) for at, unit in pairs if at in wanted.must]
    if not timed:
        run.problems += [f"{label}: {text}" for text in _extra(wanted, pairs, pairs)]
        return run
    run.first = timed[0][0]
    steps = sorted(unit.pts - reference[at].pts for at, unit in timed)
    run.moved = steps[len(steps) // 2]
    run.problems += [f"{label}: {text}" for text in _times(reference, timed, run.moved)]
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


def _times(reference: list, timed: list, moved: float):
    for at, unit in timed:
        drift = (unit.pts - reference[at].pts - moved) * 1000
        if abs(drift) > DRIFT_MS_MAX:
            yield f"number {at} at {reference[at].pts:.3f} s is {drift:+.1f} ms out of step"
            break
    for (_, before), (at, unit) in zip(timed, timed[1:]):
        if unit.dts < before.dts - 0.0005:
            yield f"number {at} goes back in time by {(before.dts - unit.dts) * 1000:.1f} ms"
            break


def _extra(wanted: Wanted, pairs: list, timed: list):
    """What is only decoded may come, but not be shown for a time of its own."""
    first = min(unit.pts for _, unit in timed)
    extra = [(at, unit) for at, unit in pairs if at not in wanted.must]
    foreign = [at for at, _ in extra if at not in wanted.may]
    if foreign:
        yield f"{len(foreign)} come that the film does not show here, the first is number {foreign[0]}"
    if wanted.track.kind == "video":
        long = [at for at, unit in extra if at in wanted.may and unit.pts > first + 0.001
                and not wanted.track.units[at].shown]
        if long:
            yield f"{len(long)} pictures that are only decoded have a time of their own, the first is number {long[0]}"


def whole(track) -> Wanted:
    """The whole film, from its first shown moment to its end."""
    must = {at for at, unit in enumerate(track.units) if unit.shown}
    # An edit cuts sound within a frame: whether that one counts is a matter of taste.
    if track.kind == "audio" and len(must) < len(track.units):
        ordered = sorted(must)
        must -= set(ordered[:1]) | set(ordered[-1:])
    return Wanted(track, must, set(range(len(track.units))))


def from_key(track, key_pts: float) -> Wanted:
    """From a keyframe on, as FLV and RTMP begin: `key_pts` is that of the picture track."""
    units = track.units
    if track.kind == "video":
        # Several may stand at one time (a film that begins behind a cut): any of them.
        first = max((at for at, unit in enumerate(units) if unit.key and unit.pts <= key_pts + 0.0005), default=0)
        must = {at for at in range(first, len(units)) if units[at].shown}
        return Wanted(track, must, set(range(first, len(units))))
    return _sound_from(track, key_pts, early=0.25)


def from_picture(track, at_s: float, shown_pts: float) -> Wanted:
    """From the picture that is seen at that time on, as a part in MP4 shows it."""
    if track.kind == "video":
        must = {at for at, unit in enumerate(track.units) if unit.shown and unit.pts >= shown_pts - 0.0005}
        return Wanted(track, must, must)
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
    keys = [unit for unit in track.units if unit.key]
    before = [unit for unit in keys if unit.pts <= at_s + 0.0005]
    return max(before, key=lambda unit: unit.pts) if before else keys[0] if keys else None


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
    return [f"{most} is {apart:.1f} ms behind {least}"] if apart > DRIFT_MS_MAX + 1 else []


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
