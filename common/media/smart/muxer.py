"""The output of a smart cut: one continuous transport stream out of copied and encoded pieces.

One muxer owns every number of the stream: counters, clock references, time stamps. Copied packets
keep their places and bytes; what is written anew in them (PID, counter, clock, time stamps) is
written in bulk. All times are ticks of 1/90000 s of the output.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from common.media.smart import mux
from common.media.smart.nal import is_delimiter, nal_units
from common.media.smart.packets import (
    ADAPTATION,
    COUNTER,
    PACKET_BYTES,
    PID,
    Bytes,
    Ints,
    Packets,
    payload_bytes,
)

CLOCK_LEAD = 63_000
"""The clock runs 0.7 s ahead of decoding, as ffmpeg's muxer has it: bytes arrive in time."""

TABLES_EVERY = 6_300
"""70 ms: program tables are due every 100 ms by any clock reference near to them."""
_CLOCK_EVERY = 8_100  # 90 ms of the 100 that are allowed

_HEADER_WITH_DTS = 19

# Flags of an adaptation field (2.4.3.4).
_ENTRY = 0x40  # random_access_indicator
_PRIORITY = 0x20
_CLOCK = 0x10  # PCR_flag
_OTHER_FIELDS = 0x0F


@dataclass(frozen=True, slots=True)
class AudioFrames:
    """AAC frames in a row, and when the first of them is heard."""

    pts: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EncodedUnit:
    """An access unit that was encoded for this cut."""

    data: bytes
    pts: int
    dts: int
    key: bool


class Muxer:
    """Yields the packets of one output. `video_type` is 0 where there is no video."""

    def __init__(self, video_type: int, *, has_audio: bool) -> None:
        self._video_type = video_type
        self._has_audio = has_audio
        self._video_counter = 0
        self._audio_counter = 0
        self._tables_counter = 0
        self._tables_at: int | None = None
        self._clock_at: int | None = None
        self._waiting: list[AudioFrames] = []

    def audio(self, frames: Sequence[AudioFrames]) -> None:
        """Queue sound; it is sent with the video that is decoded at the same time."""
        self._waiting += frames

    def copy(self, copied: "CopiedUnits", pts: Ints, dts: Ints, *, sets: bytes = b"") -> bytes:
        """Access units of a segment, changed in place: the segment's bytes are used up.

        `sets` are parameter sets that the first of them lacks.
        """
        clocks = dts - CLOCK_LEAD
        rebuilt = self._rebuilt(copied, pts, dts, sets)
        counts = copied.counts
        for unit, payload in rebuilt.items():
            counts[unit] = mux.packet_count(len(payload), clock=True)
        counters = self._video_counter + np.cumsum(counts) - counts
        copied.set_heads(counters)
        with_clock = copied.set_clocks(clocks)
        with_clock[list(rebuilt)] = True
        replaced = {
            unit: mux.packetize(
                mux.VIDEO_PID,
                int(counters[unit]),
                payload,
                clock=int(clocks[unit]),
                key=copied.is_key(unit),
            )
            for unit, payload in rebuilt.items()
        }
        inserted = self._inserted(dts.tolist(), with_clock.tolist(), counters.tolist())
        self._video_counter = int(counters[-1] + counts[-1]) & COUNTER
        return copied.assemble(inserted, replaced)

    def _rebuilt(
        self, copied: "CopiedUnits", pts: Ints, dts: Ints, sets: bytes
    ) -> dict[int, bytes]:
        """Set all time stamps; returns the PES packets of those units that need more room."""
        units = copied.set_stamps(pts, dts)
        if sets and 0 not in units:
            units = [0, *units]
        return {
            unit: mux.video_header(int(pts[unit]), int(dts[unit]))
            + (
                with_sets(copied.unit_bytes(unit), sets, self._video_type)
                if sets and unit == 0
                else copied.unit_bytes(unit)
            )
            for unit in units
        }

    def encoded(self, units: Sequence[EncodedUnit]) -> bytes:
        """Access units in decode order, packed into packets of their own."""
        sent: list[bytes] = []
        for unit in units:
            sent += self._before(unit.dts)
            payload = mux.video_header(unit.pts, unit.dts) + unit.data
            clock = unit.dts - CLOCK_LEAD
            packets = mux.packetize(
                mux.VIDEO_PID, self._video_counter, payload, clock=clock, key=unit.key
            )
            self._clock_at = clock
            self._video_counter += len(packets) // PACKET_BYTES
            sent.append(packets)
        self._video_counter &= COUNTER
        return b"".join(sent)

    def sound_only(self) -> bytes:
        """What is queued, for a stream without video: the sound carries the clock."""
        sent: list[bytes] = []
        for frames in self._waiting:
            sent.append(self._next_tables())
            sent.append(self._audio_packets(frames, clock=frames.pts - CLOCK_LEAD))
        self._waiting = []
        return b"".join(sent)

    def rest(self) -> bytes:
        """The sound that is still queued."""
        sent = [self._audio_packets(frames) for frames in self._waiting]
        self._waiting = []
        return b"".join(sent)

    def _inserted(
        self, dts: list[int], with_clock: list[bool], counters: list[int]
    ) -> dict[int, list[bytes]]:
        """What goes before which access unit: tables, sound, clock references."""
        inserted: dict[int, list[bytes]] = {}
        for unit in due(dts, self._tables_at, TABLES_EVERY):
            inserted[unit] = [self._next_tables()]
            if not with_clock[unit]:
                # Whoever tunes in here finds the time too.
                inserted[unit].append(mux.clock_packet(counters[unit] - 1, dts[unit] - CLOCK_LEAD))
                with_clock[unit] = True
            self._tables_at = dts[unit]
        waiting, self._waiting = self._waiting, []
        for frames in waiting:
            unit = bisect_right(dts, frames.pts)
            if unit == len(dts):
                self._waiting.append(frames)
            else:
                inserted.setdefault(unit, []).append(self._audio_packets(frames))
        for unit in due(dts, self._clock_at, _CLOCK_EVERY, with_clock):
            packet = mux.clock_packet(counters[unit] - 1, dts[unit] - CLOCK_LEAD)
            inserted.setdefault(unit, []).append(packet)
            with_clock[unit] = True
        if True in with_clock:
            self._clock_at = dts[len(dts) - 1 - with_clock[::-1].index(True)]
        return inserted

    def _before(self, dts: int) -> list[bytes]:
        sent = self._due_tables(dts)
        ready = [frames for frames in self._waiting if frames.pts < dts]
        self._waiting = self._waiting[len(ready) :]
        return sent + [self._audio_packets(frames) for frames in ready]

    def _due_tables(self, now: int) -> list[bytes]:
        # Half of the time is left for whatever comes next.
        if self._tables_at is not None and now - self._tables_at < TABLES_EVERY // 2:
            return []
        self._tables_at = now
        return [self._next_tables()]

    def _next_tables(self) -> bytes:
        counter = self._tables_counter
        self._tables_counter = counter + 1 & COUNTER
        return mux.tables(counter, self._video_type, self._has_audio)

    def _audio_packets(self, frames: AudioFrames, clock: int | None = None) -> bytes:
        payload = mux.audio_header(frames.pts, len(frames.data)) + frames.data
        packets = mux.packetize(mux.AUDIO_PID, self._audio_counter, payload, clock=clock)
        self._audio_counter = self._audio_counter + len(packets) // PACKET_BYTES & COUNTER
        return packets


def due(
    times: Sequence[int], last: int | None, every: int, own: Sequence[bool] | None = None
) -> list[int]:
    """Before which of `times` something must be sent so that it comes at least `every` ticks apart.

    It was sent at `last`; those of `own` bring it themselves.
    """
    found = []
    for index, time in enumerate(times):
        if own is not None and own[index]:
            last = time
            continue
        if index + 1 < len(times):
            following = times[index + 1]
        else:
            following = 2 * time - times[index - 1] if index else time + every
        if last is None or following - last > every:
            found.append(index)
            last = time
    return found


def with_sets(unit: bytes, sets: bytes, video_type: int) -> bytes:
    """The access unit with parameter sets put before its first slice (behind its delimiter)."""
    for nal in nal_units(unit, video_type):
        if not is_delimiter(nal, video_type):
            at = nal.start - 3
            at -= at > 0 and unit[at - 1] == 0
            return unit[:at] + sets + unit[at:]
    return unit


class CopiedUnits:
    """Access units `first` to `last` (exclusive) of a segment, while they are changed in place.

    Unit 0 is the first of them.

    `counts` are packets for each unit.
    """

    def __init__(self, packets: Packets, first: int, last: int) -> None:
        units = packets.units
        self._packets = packets
        self._table = packets.table
        self._starts: Ints = units.row[first:last]
        self._payload = units.payload[first:last]
        self._header = units.header[first:last]
        self._has_dts = units.has_dts[first:last]
        rows = packets.rows
        begin = int(np.searchsorted(rows, units.row[first]))
        end = int(np.searchsorted(rows, units.row[last])) if last < len(units) else len(rows)
        self._rows: Ints = rows[begin:end]
        self._begin: Ints = np.searchsorted(self._rows, self._starts)
        self.counts: Ints = np.diff(np.append(self._begin, len(self._rows)))
        self._own = self.counts.copy()

    def is_key(self, unit: int) -> bool:
        """Whether the source marks it as a point of entry."""
        start = self._table[self._starts[unit]]
        return bool(start[3] & ADAPTATION and start[4] and start[5] & _ENTRY)

    def unit_bytes(self, unit: int) -> bytes:
        """The access unit itself, without any header."""
        begin = int(self._begin[unit])
        return payload_bytes(
            self._packets.data,
            self._packets.heads,
            self._rows[begin : begin + int(self._own[unit])],
        )[int(self._header[unit]) :]

    def set_stamps(self, pts: Ints, dts: Ints) -> list[int]:
        """Write the time stamps; returns the units whose headers have no room for a DTS."""
        differs = pts != dts
        at = self._starts * PACKET_BYTES + self._payload
        roomy = self._has_dts | (self._header >= _HEADER_WITH_DTS)
        lacking = differs & ~roomy
        data = np.frombuffer(self._packets.data, np.uint8)
        _write_stamps(data, at + 9, np.where(differs, 3, 2), pts)
        written = differs & roomy
        _write_stamps(data, at[written] + 14, 1, dts[written])
        data[at[written] + 7] |= 0xC0
        dropped = at[~differs & self._has_dts]
        data[dropped + 7] &= 0xBF
        for byte in range(14, 19):
            data[dropped + byte] = 0xFF  # stuffing (2.4.3.7)
        return np.flatnonzero(lacking).tolist()

    def set_heads(self, counters: Ints) -> None:
        """Give every packet its PID and its counter; `counters` has that of each unit's first."""
        shift = np.repeat(counters - self._begin, self._own)
        numbers = (np.arange(len(self._rows)) + shift) & COUNTER
        heads = self._packets.heads[self._rows]
        heads &= ~np.uint32(PID | COUNTER)
        heads |= np.uint32(mux.VIDEO_PID << 8)
        heads |= numbers.astype(np.uint32)
        self._packets.words[self._rows, 0] = heads.byteswap()

    def set_clocks(self, clocks: Ints) -> "npt.NDArray[np.bool_]":
        """Write the clock references that begin units, and make all other optional fields stuffing.

        Returns which units have one.
        """
        with_field = self._rows[(self._packets.heads[self._rows] & ADAPTATION) != 0]
        length, flags = self._table[with_field, 4], self._table[with_field, 5]
        # Stuffing alone has no flags, and most packets with a field have nothing else.
        used = (length > 0) & (flags != 0)
        rows, length, flags = with_field[used], length[used], flags[used]
        unit = np.minimum(np.searchsorted(self._starts, rows), len(self._starts) - 1)
        timed = (self._starts[unit] == rows) & ((flags & _CLOCK) != 0)
        plain = timed & ((flags & _OTHER_FIELDS) == 0)
        for row in rows[~plain].tolist():
            self._table[row, 6 : 5 + self._table[row, 4]] = 0xFF
        at = rows[timed] * PACKET_BYTES + 6
        _write_clocks(np.frombuffer(self._packets.data, np.uint8), at, clocks[unit[timed]])
        self._table[rows, 5] = flags & (_ENTRY | _PRIORITY) | np.where(timed, _CLOCK, 0)
        with_clock = np.zeros(len(self._starts), np.bool_)
        with_clock[unit[timed]] = True
        return with_clock

    def assemble(self, inserted: dict[int, list[bytes]], replaced: dict[int, bytes]) -> bytes:
        """The packets, with what is `inserted` before units and `replaced` instead of them."""
        begin = self._begin.tolist()
        ends = {unit: begin[unit] + int(self._own[unit]) for unit in replaced}
        at_unit = {begin[unit]: unit for unit in inserted.keys() | replaced.keys()}
        breaks = (np.flatnonzero(np.diff(self._rows) != 1) + 1).tolist()
        edges = sorted({0, *breaks, *at_unit, *ends.values()} - {len(self._rows)})
        rows = self._rows[edges].tolist()
        edges.append(len(self._rows))
        view = memoryview(self._packets.data)
        sent: list[bytes | memoryview] = []
        skip_to = 0
        for row, (index, until) in zip(rows, pairwise(edges), strict=True):
            unit = at_unit.get(index)
            if unit is not None:
                sent += inserted.get(unit, ())
                if unit in replaced:
                    sent.append(replaced[unit])
                    skip_to = ends[unit]
            if index >= skip_to:
                sent.append(view[row * PACKET_BYTES : (row + until - index) * PACKET_BYTES])
        return b"".join(sent)


def _write_stamps(data: Bytes, at: Ints, prefix: "int | Ints", ticks: Ints) -> None:
    """Write time stamps (2.4.3.7) at these offsets."""
    data[at] = prefix << 4 | ticks >> 29 & 0x0E | 1
    data[at + 1] = ticks >> 22 & 0xFF
    data[at + 2] = ticks >> 14 & 0xFE | 1
    data[at + 3] = ticks >> 7 & 0xFF
    data[at + 4] = ticks << 1 & 0xFE | 1


def _write_clocks(data: Bytes, at: Ints, ticks: Ints) -> None:
    """Write clock references (2.4.3.5) of whole ticks at these offsets."""
    for byte in range(4):
        data[at + byte] = ticks >> 25 - 8 * byte & 0xFF
    data[at + 4] = (ticks & 1) << 7 | 0x7E
    data[at + 5] = 0
