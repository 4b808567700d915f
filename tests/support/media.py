"""Encoded streams for tests: made once per machine, then shared by all tests and workers."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import demo.origin.code
import demo.origin.encoder
import demo.origin.recorded
from common.segments.path import Segment, SegmentType, format_name, hash_bytes
from common.times import SECOND, Micros, format_hour
from demo.origin.encoder import StreamSpec
from demo.origin.recorded import RecordedSegment, RecordedSet, encode_set, load_set

__all__ = [
    "RecordedSegment",
    "RecordedSet",
    "StoredSegment",
    "fill_store",
    "made_once",
    "recorded_set",
    "store_bytes",
]

_CACHE = Path(__file__).parents[2] / "var" / "test-media"

_SETS = {
    "plain": StreamSpec(seconds=40),
    "short": StreamSpec(seconds=6),
    "ntsc": StreamSpec(seconds=10, frame_rate=Fraction(60_000, 1001)),
}
"""`plain` is what most tests want: 20 segments at 60 (360p30: 30) frames per second."""


@lru_cache
def recorded_set(name: str = "plain") -> RecordedSet:
    """The set of that name, encoded now if this machine does not have it yet."""
    spec = _SETS[name]
    modules = (demo.origin.code, demo.origin.encoder, demo.origin.recorded)
    folder = made_once(name, spec, modules, lambda folder: encode_set(folder, spec))
    return load_set(folder)


def made_once(
    name: str, recipe: object, modules: Iterable[ModuleType], make: Callable[[Path], None]
) -> Path:
    """The folder that `make` fills, called only if this machine does not have it yet.

    What it makes depends on the repr of `recipe` and on the text of `modules`.
    """
    folder = _CACHE / f"{name}-{_fingerprint(recipe, modules)}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


def _fingerprint(recipe: object, modules: Iterable[ModuleType]) -> str:
    digest = hashlib.sha256(repr(recipe).encode())
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSegment:
    """A segment that `fill_store` wrote: where, and which frames it holds."""

    path: Path
    segment: Segment
    numbers: Sequence[int]


def fill_store(
    base_dir: Path,
    channel: str,
    quality: str,
    recorded: RecordedSet,
    *,
    start: Micros,
    count: int | None = None,
    first: int = 0,
    holes: Collection[int] = (),
    types: Mapping[int, SegmentType] | None = None,
) -> list[StoredSegment]:
    """Write segments `first` to `first + count` of `recorded` as a downloader would have.

    `start` is the wall time of the first frame of segment `first`. `count` None is the whole set;
    more than the set has repeats it with its clock going on. Indexes in `holes` are left out;
    `types` makes the segments of these indexes something else than full (a partial one is cut off
    in its middle). Returns what was written.
    """
    kinds = types or {}
    count = recorded.segment_count() - first if count is None else count
    base = recorded.start_seconds(first)
    stored = []
    for index in range(first, first + count):
        if index in holes:
            continue
        offset = round((recorded.start_seconds(index) - base) * SECOND)
        source = recorded.qualities[quality][index % recorded.segment_count()]
        kind = kinds.get(index, SegmentType.FULL)
        data = recorded.read(quality, index)
        if kind is SegmentType.PARTIAL:
            data = data[: len(data) // 2]
        duration = round(source.duration_seconds * SECOND)
        path, segment = store_bytes(
            base_dir / channel / quality, data, start + offset, duration, kind
        )
        stored.append(StoredSegment(path=path, segment=segment, numbers=source.numbers))
    return stored


def store_bytes(
    quality_dir: Path,
    data: bytes,
    start: Micros,
    duration: Micros,
    kind: SegmentType = SegmentType.FULL,
) -> tuple[Path, Segment]:
    """Write a segment under the name that a downloader would have given it, whole or not at all."""
    digest = hash_bytes(data)
    name = format_name(start, duration, kind, digest)
    path = quality_dir / format_hour(start) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{name}")
    unfinished.write_bytes(data)
    unfinished.rename(path)
    return path, Segment(start=start, duration=duration, type=kind, hash=digest, name=name)
