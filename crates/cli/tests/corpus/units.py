"""Access units and tracks, as the readers yield them and the comparison takes them. Nothing but Python."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Unit:
    """One access unit. Times are seconds on the presentation's line; `shown` is false of what is only decoded."""

    digest: str
    pts: float
    dts: float
    duration: float
    key: bool
    shown: bool = True
    # What its NAL units say: a picture at which decoding can begin whatever came before.
    refresh: bool = False

    @property
    def end(self) -> float:
        return self.pts + self.duration


@dataclass
class Track:
    kind: str
    codec: str
    width: int = 0
    height: int = 0
    rate: int = 0
    channels: int = 0
    language: str = ""
    rotation: int = 0
    sar: float = 1.0
    colour: tuple = ()
    frame_samples: int = 0
    units: list[Unit] = field(default_factory=list)

    @property
    def shown(self) -> list[Unit]:
        return [unit for unit in self.units if unit.shown]
