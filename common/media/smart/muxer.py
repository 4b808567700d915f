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
from common.media.smart.mux import Packed
from common.media.smart.nal import is_delimiter, nal_units
from common.media.smart.packets import (
    ADAPTATION,
    COUNTER,
    PACKET_BYTES,
    PAYLOAD,
    PID,
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

    def copy(
        self, copied: "CopiedUnits", pts: Ints, dts: Ints, *, sets: bytes = b""
    ) -> list[Packed]:
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
        inserted = self._inserted(dts, with_clock, counters)
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

    def encoded(self, units: Sequence[EncodedUnit]) -> list[Packed]:
        """Access units in decode order, packed into packets of their own."""
        sent: list[Packed] = []
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
        return sent

    def sound_only(self) -> list[Packed]:
        """What is queued, for a stream without video: the sound carries the clock."""
        sent: list[Packed] = []
        for frames in self._waiting:
            sent.append(self._next_tables())
            sent += self._audio_packets([frames], clock=frames.pts - CLOCK_LEAD)
        self._waiting = []
        return sent

    def rest(self) -> list[Packed]:
        """The sound that is still queued."""
        sent = self._audio_packets(self._waiting)
        self._waiting = []
        return sent

    def _inserted(
        self, dts: Ints, own_clock: "npt.NDArray[np.bool_]", counters: Ints
    ) -> dict[int, list[Packed]]:
        """What goes before which access unit: tables, clock references, sound."""
        times = dts.tolist()
        with_tables = due(times, self._tables_at, TABLES_EVERY)
        with_clock = own_clock.copy()
        with_clock[with_tables] = True  # whoever tunes in there finds the time too
        present = np.flatnonzero(with_clock)
        with_clock[due_beside(dts, self._clock_at, _CLOCK_EVERY, present)] = True
        added = np.flatnonzero(with_clock & ~own_clock)
        clocks = mux.clock_packets(counters[added] - 1, dts[added] - CLOCK_LEAD)
        inserted: dict[int, list[Packed]] = {unit: [self._next_tables()] for unit in with_tables}
        for unit, packet in zip(added.tolist(), clocks, strict=True):
            inserted.setdefault(unit, []).append(packet)
        # Sound waits in the order of its time.
        count = sum(frames.pts < times[-1] for frames in self._waiting)
        ready, self._waiting = self._waiting[:count], self._waiting[count:]
        for frames, packets in zip(ready, self._audio_packets(ready), strict=True):
            inserted.setdefault(bisect_right(times, frames.pts), []).append(packets)
        self._tables_at = times[with_tables[-1]] if with_tables else self._tables_at
        last_clock = np.flatnonzero(with_clock)[-1:].tolist()
        self._clock_at = times[last_clock[0]] if last_clock else self._clock_at
        return inserted

    def _before(self, dts: int) -> list[Packed]:
        sent: list[Packed] = [*self._due_tables(dts)]
        ready = [frames for frames in self._waiting if frames.pts < dts]
        self._waiting = self._waiting[len(ready) :]
        return sent + self._audio_packets(ready)

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

    def _audio_packets(
        self, waiting: Sequence[AudioFrames], clock: int | None = None
    ) -> list[Packed]:
        """`clock` is of the very first packet."""
        if not waiting:
            return []
        payloads = [
            mux.audio_header(frames.pts, len(frames.data)) + frames.data for frames in waiting
        ]
        packed = mux.packetize_all(mux.AUDIO_PID, self._audio_counter, payloads, clock=clock)
        count = sum(map(len, packed)) // PACKET_BYTES
        self._audio_counter = self._audio_counter + count & COUNTER
        return packed


def due(
    times: Sequence[int], last: int | None, every: int, first: int = 0, end: int | None = None
) -> list[int]:
    """Before which of `times` something must be sent so that it comes at least `every` ticks apart.

    It was sent at `last`. Only those from `first` to `end` (exclusive) are looked at.
    """
    behind = 2 * times[-1] - times[-2] if len(times) > 1 else times[-1] + every
    following = [*times[1:], behind]
    end = len(times) if end is None else end
    found: list[int] = []
    while True:
        if last is not None:
            first = bisect_right(following, last + every, min(first, end), end)
        if first >= end:
            return found
        found.append(first)
        last = times[first]
        first += 1


def due_beside(times: Ints, last: int | None, every: int, own: Ints) -> list[int]:
    """The same where those of `own` bring it themselves."""
    stamps = times.tolist()
    if not len(own):
        return due(stamps, last, every)
    found = due(stamps, last, every, 0, int(own[0]))
    for gap in np.flatnonzero(np.diff(times[own]) > every).tolist():
        begin, end = int(own[gap]), int(own[gap + 1])
        found += due(stamps, stamps[begin], every, begin + 1, end)
    final = int(own[-1])
    return found + due(stamps, stamps[final], every, final + 1)


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
        self._data = self._table.reshape(-1)
        self._starts: Ints = units.row[first:last]
        self._payload = units.payload[first:last]
        self._header = units.header[first:last]
        self._has_dts = units.has_dts[first:last]
        rows = packets.rows
        begin = int(np.searchsorted(rows, units.row[first]))
        end = int(np.searchsorted(rows, units.row[last])) if last < len(units) else len(rows)
        self._rows: Ints = rows[begin:end]
        self._span = slice(int(self._rows[0]), int(self._rows[-1]) + 1)
        self._begin: Ints = np.searchsorted(self._rows, self._starts)
        self.counts: Ints = np.diff(self._begin, append=len(self._rows))
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
        data = self._data
        mux.write_stamps(data, at + 9, np.where(differs, 3, 2), pts)
        written = differs & roomy
        mux.write_stamps(data, at[written] + 14, 1, dts[written])
        data[at[written] + 7] |= 0xC0
        dropped = at[~differs & self._has_dts]
        if len(dropped):
            data[dropped + 7] &= 0xBF
            data[dropped[:, None] + np.arange(14, 19)] = 0xFF  # stuffing (2.4.3.7)
        return np.flatnonzero(differs & ~roomy).tolist()

    def set_heads(self, counters: Ints) -> None:
        """Give every packet its PID and its counter; `counters` has that of each unit's first.

        Packets of other streams that lie between them are spoiled: nobody sends them.
        """
        heads = self._packets.heads[self._span]
        numbers = heads.copy()
        # They count on from where a segment begins, or from behind a unit that was rebuilt.
        shift = (counters - self._packets.heads[self._starts]) & COUNTER
        changes = [0, *(np.flatnonzero(np.diff(shift)) + 1).tolist()]
        edges = [*(self._starts[changes] - self._span.start).tolist(), len(heads)]
        for unit, (begin, end) in zip(changes, pairwise(edges), strict=True):
            numbers[begin:end] += np.uint32(shift[unit])
        numbers &= COUNTER
        numbers |= heads & ~np.uint32(PID | COUNTER)
        numbers |= np.uint32(mux.VIDEO_PID << 8)
        self._packets.words[self._span, 0] = numbers.byteswap()

    def set_clocks(self, clocks: Ints) -> "npt.NDArray[np.bool_]":
        """Write the clock references that begin units, and make all other optional fields stuffing.

        Returns which units have one.
        """
        heads = self._packets.heads
        with_field = np.flatnonzero((heads[self._span] & ADAPTATION) != 0) + self._span.start
        kind = np.uint32(PID | PAYLOAD)
        with_field = with_field[heads[with_field] & kind == heads[self._starts[0]] & kind]
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
        mux.write_clocks(self._data, at, clocks[unit[timed]])
        self._table[rows, 5] = flags & (_ENTRY | _PRIORITY) | np.where(timed, _CLOCK, 0)
        with_clock = np.zeros(len(self._starts), np.bool_)
        with_clock[unit[timed]] = True
        return with_clock

    def assemble(
        self, inserted: dict[int, list[Packed]], replaced: dict[int, bytes]
    ) -> list[Packed]:
        """The packets, with what is `inserted` before units and `replaced` instead of them."""
        units = sorted(inserted.keys() | replaced.keys())
        begins = self._begin[units]
        lengths = [int(self._own[unit]) if unit in replaced else 0 for unit in units]
        ends = begins + np.array(lengths, np.int64)
        # A piece ends where packets of other streams follow, or where something is put between.
        parted = np.empty(len(self._rows) + 1, np.bool_)
        parted[1:-1] = np.diff(self._rows) != 1
        parted[begins] = parted[ends] = parted[0] = parted[-1] = True
        edges = np.flatnonzero(parted)
        pieces = self._pieces(edges)
        sent: list[Packed] = []
        done = 0
        for unit, begin, end in zip(
            units,
            np.searchsorted(edges, begins).tolist(),
            np.searchsorted(edges, ends).tolist(),
            strict=True,
        ):
            sent += pieces[done:begin]
            sent += inserted.get(unit, ())
            if unit in replaced:
                sent.append(replaced[unit])
            done = end
        return sent + pieces[done:]

    def _pieces(self, edges: Ints) -> list[memoryview]:
        """The packets between each two of these edges, which stand one behind the other."""
        view = memoryview(self._packets.data)
        begins = self._rows[edges[:-1]] * PACKET_BYTES
        ends = begins + np.diff(edges) * PACKET_BYTES
        return [view[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
