"""The number of a frame as black and white cells, and back.

The strip is one row of 40 cells across the whole top of the picture: 32 bits of the number, then a
CRC-8 over them, most significant bit first; white is 1. At 1280x720 a cell is 32x32 pixels, at
640x360 16x16, so the strip survives scaling and any encoding that leaves faces recognisable. A
cross-fade of two strips, or a picture without one, reads as None and never as a wrong number.
"""

from collections.abc import Sequence

NUMBER_BITS = 32
CHECK_BITS = 8
CELLS = NUMBER_BITS + CHECK_BITS
MAX_NUMBER = (1 << NUMBER_BITS) - 1

_POLYNOMIAL = 0x07
# Not 0, so that a black picture is no valid number 0.
_CRC_START = 0x5A

# Luma of limited-range video (16 black, 235 white). What lies between these is no clear cell.
_BLACK_BELOW = 90
_WHITE_ABOVE = 160


def encode_bits(number: int) -> tuple[int, ...]:
    """The cells of `number`, 1 for white. Raises ValueError outside 0 to 2^32 - 1."""
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"{number} does not fit into {NUMBER_BITS} bits")
    word = number << CHECK_BITS | _crc(number)
    return tuple(word >> shift & 1 for shift in reversed(range(CELLS)))


def decode_cells(luma: Sequence[float]) -> int | None:
    """The number behind the mean luma (0 to 255) of each cell, or None if it is no clear strip."""
    word = 0
    for value in luma:
        if _BLACK_BELOW <= value <= _WHITE_ABOVE:
            return None
        word = word << 1 | (value > _WHITE_ABOVE)
    number, check = word >> CHECK_BITS, word & ((1 << CHECK_BITS) - 1)
    return number if check == _crc(number) else None


def _crc(number: int) -> int:
    crc = _CRC_START
    for byte in number.to_bytes(NUMBER_BITS // 8, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ _POLYNOMIAL if crc & 0x80 else crc << 1) & 0xFF
    return crc
