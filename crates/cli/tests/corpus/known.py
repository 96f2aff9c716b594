"""What is wrong and known, with a reason. An entry that fits nothing any more fails the test: the list cannot rot."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

# Sentences that tell nobody what is the matter with a file.
EXPLAIN_NOTHING = ["it is neither FLV nor MP4", "holds neither pictures nor sound", "has no samples"]


@dataclass(frozen=True)
class Fault:
    """`film` and `door` may have `*`; `says` is a part of the sentence."""

    film: str
    door: str
    says: str
    reason: str


FAULTS: list[Fault] = [
    Fault("edit-late-in-group-hevc-pictures.mp4", "MP4", "time 0 is second 0.440",
          "a part from before the first picture of a cut shows a picture that is only decoded, if its frames are reordered"),
]


def reason_for(film: str, door: str, text: str) -> Fault | None:
    """The entry that covers a finding."""
    for fault in FAULTS:
        if fnmatch(film, fault.film) and fnmatch(door, fault.door) and fault.says in text:
            return fault
    return None


def concerns(fault: Fault, verdicts: list) -> bool:
    """Whether a film that it speaks of was there at all."""
    return any(fnmatch(verdict.name, fault.film) for verdict in verdicts)
