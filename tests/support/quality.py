"""Compares a cut with its source, frame by frame: what was copied bit for bit, what was encoded
again, how good that is, and how big.

    compared = compare(judge(output, frame_rate=rate), read_transport(source))
    assert_faithful(compared)
    assert numbers_of(compared, copied=True) == [*range(120, 360)]
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import av
import numpy as np
import numpy.typing as npt

from tests.support.decode import Picture, decode_pictures
from tests.support.transport import AccessUnit, Transport

LOWEST_PSNR = 42.0
"""In dB, of a frame that was encoded again."""

Luma = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A frame of the output beside the source's frame of the same number.

    `number` None is a picture that carries none (a transition). If it is no copy either, or if the
    source has no such number, `psnr` is NaN and the source's bytes are 0.
    """

    number: int | None
    copied: bool
    """All its slices are those of a frame of the source, bit for bit."""
    psnr: float
    """Of luma, in dB; infinite where the decoded pictures are equal."""
    output_bytes: int
    source_bytes: int
    source_gop: int
    """Which of the source's stretches from one IDR to the next it comes from."""


def compare(output: Transport, source: Transport) -> list[Compared]:
    """All frames of `output` in the order of display. Its stamps must not wrap.

    Raises AssertionError if a unit gives no picture.
    """
    shown = sorted(decode_pictures(output.units), key=lambda picture: picture.unit.pts)
    lost = set(range(len(output.units))) - {picture.index for picture in shown}
    if lost:
        raise AssertionError(f"access units {sorted(lost)[:10]} give no picture")
    originals = _Originals(source, shown)
    gops = list(_gop_indexes(source.units))
    compared = []
    for picture in shown:
        original = originals.of(picture)
        compared.append(
            Compared(
                number=picture.number,
                copied=original is not None and picture.unit.slices == original.unit.slices,
                psnr=math.nan if original is None else psnr(picture.frame, original.frame),
                output_bytes=len(picture.unit.data),
                source_bytes=0 if original is None else len(original.unit.data),
                source_gop=-1 if original is None else gops[original.index],
            )
        )
    return compared


class _Originals:
    """The source's pictures that some output shows.

    A picture's original is the one of the same number, unless another has the same slices: a copy
    that is decoded wrongly carries a wrong number, or none.
    """

    def __init__(self, source: Transport, shown: Iterable[Picture]) -> None:
        numbers, slices = set(), set()
        for picture in shown:
            numbers.add(picture.number)
            slices.add(picture.unit.slices)
        self._by_number: dict[int, Picture] = {}
        self._by_slices: dict[bytes, Picture] = {}
        for picture in decode_pictures(source.units):
            number = picture.number
            if number is not None and number in numbers:
                self._by_number[number] = picture
            if picture.unit.slices in slices:
                self._by_slices[picture.unit.slices] = picture

    def of(self, picture: Picture) -> Picture | None:
        number, slices = picture.number, picture.unit.slices
        same = self._by_number.get(number) if number is not None else None
        if same is not None and same.unit.slices == slices:
            return same
        return self._by_slices.get(slices, same)


def _gop_indexes(units: Iterable[AccessUnit]) -> Iterator[int]:
    gop = -1
    for unit in units:
        gop += unit.is_idr
        yield gop


def gop_bytes(source: Transport) -> dict[int, int]:
    """The bytes of each of the source's stretches from one IDR to the next."""
    sizes: dict[int, int] = {}
    for gop, unit in zip(_gop_indexes(source.units), source.units, strict=True):
        sizes[gop] = sizes.get(gop, 0) + len(unit.data)
    return sizes


def psnr(picture: av.VideoFrame, original: av.VideoFrame) -> float:
    """The peak signal to noise ratio of the luma in dB; minus infinity for different sizes."""
    one, other = _luma(picture), _luma(original)
    if one.shape != other.shape:
        return -math.inf
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _luma(picture: av.VideoFrame) -> Luma:
    """The Y plane as it was decoded, without any conversion of its range."""
    plane = picture.planes[0]
    rows: Luma = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def numbers_of(compared: Iterable[Compared], *, copied: bool) -> list[int]:
    """The numbers of the frames that were copied, or of those that were not."""
    return [
        frame.number for frame in compared if frame.copied is copied and frame.number is not None
    ]


def encoded_pieces(compared: Sequence[Compared]) -> list[list[Compared]]:
    """The stretches of frames that were encoded again."""
    runs = groupby(compared, key=lambda frame: frame.copied)
    return [list(run) for copied, run in runs if not copied]


def assert_faithful(compared: Sequence[Compared], *, at_least: float = LOWEST_PSNR) -> None:
    """Copied frames decode to the very same pictures, the others to pictures as good as this;
    frames without a number are not looked at.
    """
    for position, frame in enumerate(compared):
        where = f"frame {frame.number}, at {position} of the output, has {frame.psnr:.1f} dB"
        if math.isnan(frame.psnr):
            continue
        if frame.copied and frame.psnr != math.inf:
            raise AssertionError(f"{where}, though it was copied: what it needs is not there")
        if frame.psnr < at_least:
            raise AssertionError(f"{where} instead of {at_least}")


def assert_small(
    compared: Sequence[Compared], source: Transport, frame_rate: Fraction, *, factor: float = 2
) -> None:
    """What was encoded again has at most `factor` times the bytes of the same source frames; if it
    is shorter than a second, of the source's GOPs that it lies in.
    """
    sizes = gop_bytes(source)
    for piece in encoded_pieces(compared):
        got = sum(frame.output_bytes for frame in piece)
        if len(piece) >= frame_rate:
            limit = sum(frame.source_bytes for frame in piece)
        else:
            limit = sum(sizes[gop] for gop in {frame.source_gop for frame in piece} - {-1})
        if got > factor * limit:
            raise AssertionError(
                f"frames {piece[0].number} to {piece[-1].number} have {got} bytes, more than "
                f"{factor} times the source's {limit}"
            )
