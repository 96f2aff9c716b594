"""The comparison finds what is wrong: it is fed what was dropped, shifted, foreign, cut away. Needs nothing but Python."""

from __future__ import annotations

import copy
import unittest

import compare
from units import Track, Unit


def pictures(count: int = 20) -> Track:
    return Track("video", "h264", units=[Unit(f"v{n}", n * 0.04, n * 0.04 - 0.08, 0.04, n % 5 == 0) for n in range(count)])


def sounds(count: int = 40) -> Track:
    step = 1024 / 48000
    units = [Unit(f"a{n}", n * step, n * step, step, True) for n in range(count)]
    return Track("audio", "aac", units=units, frame_samples=1024, rate=48000)


class Compare(unittest.TestCase):
    def found(self, change, track: Track | None = None, wanted=compare.whole) -> str:
        track = track or pictures()
        got = copy.deepcopy(track.shown)
        change(got)
        return "; ".join(compare.compare(wanted(track), got, "it").problems)

    def test_the_same_is_right_wherever_its_time_begins(self):
        self.assertEqual(self.found(lambda got: None), "")
        self.assertEqual(self.found(lambda got: [setattr(u, "pts", u.pts + 9) for u in got]), "")

    def test_what_is_missing_foreign_or_out_of_order(self):
        self.assertIn("not number 7", self.found(lambda got: got.pop(7)))
        self.assertIn("1 of 20 did not come", self.found(lambda got: got.pop()))
        self.assertIn("5 of 20 did not come, the first is number 0", self.found(lambda got: got.__delitem__(slice(5))))
        self.assertIn("not number 3", self.found(lambda got: setattr(got[3], "digest", "x")))
        self.assertIn("not of the film", self.found(lambda got: setattr(got[0], "digest", "x")))
        self.assertIn("behind the film's end", self.found(lambda got: got.append(copy.copy(got[3]))))
        self.assertIn("nothing came", self.found(lambda got: got.clear()))

    def test_times(self):
        self.assertIn("out of step", self.found(lambda got: setattr(got[9], "pts", got[9].pts + 0.04)))
        self.assertEqual(self.found(lambda got: setattr(got[9], "pts", got[9].pts + 0.001)), "")
        self.assertIn("back in time", self.found(lambda got: setattr(got[9], "dts", 0.0)))

    def test_what_begins_long_before_the_film_says_nothing_of_its_times(self):
        track = sounds(3)
        for unit in track.units[:2]:
            unit.pts -= 1024
        self.assertEqual(self.found(lambda got: [setattr(u, "pts", max(u.pts, -0.08)) for u in got], track), "")
        track = sounds(1)
        track.units[0].pts -= 1024
        run = compare.compare(compare.whole(track), copy.deepcopy(track.units), "it")
        self.assertEqual((run.problems, run.moved), ([], None))

    def test_a_record_in_front_of_a_picture_is_no_part_of_it(self):
        import libav

        record = bytes([1, 100, 0, 10, 255, 225, 0, 4, 103, 1, 2, 3, 1, 0, 2, 104, 9])
        chroma, picture = bytes([253, 248, 248, 0]), bytes([0, 0, 0, 3, 101, 5, 6])
        for front in [b"", record, record + chroma]:
            self.assertEqual(libav._payload(front + picture, "h264", 4), picture)
        hevc = bytes([1]) + bytes(21) + bytes([1, 32, 0, 1, 0, 2, 64, 1])
        picture = bytes([0, 0, 0, 3, 38, 1, 6])
        self.assertEqual(libav._payload(hevc + picture, "hevc", 4), picture)
        self.assertEqual(libav._payload(bytes([1, 0, 0]), "h264", 4), b"")

    def test_what_is_cut_away_may_come_but_not_be_shown(self):
        track = pictures()
        for number in range(5, 8):
            track.units[number].shown = False
        track.units = track.units[5:]
        moved = lambda time: lambda got: got[:0]
        decoded = copy.deepcopy(track.units)
        self.assertIn("a time of their own", self._with_decoded(track, decoded, 0.5))
        self.assertEqual(self._with_decoded(track, decoded, 0.3), "")
        self.assertEqual(self.found(moved(0), track), "")

    def _with_decoded(self, track: Track, decoded: list, pts: float) -> str:
        for unit in decoded[:3]:
            unit.pts = pts
        return "; ".join(compare.compare(compare.whole(track), decoded, "it").problems)

    def test_where_a_part_begins(self):
        track = pictures()
        from_key = lambda track: compare.from_key(track, 0.5, compare.key_before(track, 0.5))
        self.assertEqual(self.found(lambda got: got.__delitem__(slice(10)), track, from_key), "")
        self.assertIn("5 come that", self.found(lambda got: got.__delitem__(slice(5)), track, from_key))
        self.assertIn("1 of 10 did not come", self.found(lambda got: got.__delitem__(slice(11)), track, from_key))
        seen = lambda track: compare.from_picture(track, 0.5, 0.48)
        self.assertEqual(self.found(lambda got: got.__delitem__(slice(12)), track, seen), "")
        self.assertEqual(compare.seen_at(track, 0.5).digest, "v12")
        self.assertEqual(compare.key_before(track, 0.59).digest, "v10")

    def test_sound_has_even_steps(self):
        reference, got = sounds(), sounds()
        self.assertEqual(compare.even_sound(got, reference), [])
        for unit in got.units:
            unit.pts = round(unit.pts, 3)
        self.assertIn("not 1024 samples", compare.even_sound(got, reference)[0])

    def test_sound_and_picture_move_alike(self):
        runs = {"video": compare.Run([], 0.08), "audio": compare.Run([], 0.081)}
        self.assertEqual(compare.same_shift(runs), [])
        runs["audio"].moved = 0.12
        self.assertIn("40.0 ms", compare.same_shift(runs)[0])


if __name__ == "__main__":
    unittest.main()
