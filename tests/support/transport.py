"""A strict judge of MPEG-TS that we have written, and a reader of any.

    transport = judge(data, frame_rate=Fraction(60))
    source = read_transport(segment)

`read_transport` reads whatever can be read and raises NotTransport for what is no well-formed
packet, table, PES header or access unit. `judge` raises NotTransport too for what ISO/IEC 13818-1
allows but no output of ours may have: a jump of a counter, a frame off the grid, a gap in the
sound, a late clock. It knows nothing of the code that writes such files.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

PACKET_BYTES = 188
CLOCK_HZ = 90_000
FIRST_PTS = 126_000
"""The time stamp of the first frame that is shown: 1.4 s."""

PCR_PER_TICK = 300
LONGEST_PCR_STEP = CLOCK_HZ // 10 * PCR_PER_TICK
LONGEST_TABLE_STEP = CLOCK_HZ // 10 * PCR_PER_TICK
EARLIEST_ARRIVAL = CLOCK_HZ * 3 // 2 * PCR_PER_TICK
AAC_SAMPLES = 1024
STAMP_WRAP = 1 << 33

H264, HEVC, AAC = 0x1B, 0x24, 0x0F
_VIDEO_TYPES = frozenset({0x01, 0x02, 0x10, H264, HEVC})
_AUDIO_TYPES = frozenset({0x03, 0x04, AAC, 0x11, 0x81})
_PAT_PID, _SDT_PID, _NULL_PID = 0, 17, 0x1FFF

# ISO/IEC 14496-3, table 1.18.
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


class NotTransport(AssertionError):
    """The bytes break a rule; the message says which and where."""


def _require(condition: object, rule: str, where: object = "") -> None:
    if not condition:
        raise NotTransport(f"{rule}: {where}" if where != "" else rule)


@dataclass(frozen=True, slots=True)
class Packet:
    """A transport packet. `pcr` counts 1/27,000,000 s."""

    pid: int
    starts: bool
    counter: int
    payload: bytes | None
    pcr: int | None
    discontinuity: bool


@dataclass(frozen=True, slots=True)
class Program:
    """What a PMT says: the PID of the clock, and the type of each PID's stream."""

    pcr_pid: int
    types: tuple[tuple[int, int], ...]  # (PID, type) in the order of the table


@dataclass(frozen=True, slots=True)
class Table:
    """A PAT (program None) or PMT as it stood at a packet."""

    packet: int
    pid: int
    program: Program | None
    section: bytes


@dataclass(frozen=True, slots=True)
class Pes:
    """A PES packet: which packets it begins and ends in, and its stamps as they stand."""

    pid: int
    kind: int
    first: int
    last: int
    stream_id: int
    pts: int
    dts: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessUnit:
    """A coded picture as it stands in the stream; stamps in ticks, below 2^33."""

    data: bytes
    pts: int
    dts: int
    codec: int
    packet: int
    """The index of the first packet."""
    nals: tuple[bytes, ...] = field(repr=False)

    @property
    def nal_types(self) -> tuple[int, ...]:
        return tuple(nal_type(nal, self.codec) for nal in self.nals)

    @property
    def slices(self) -> bytes:
        """The coded picture without what stands around it: all slices, in order."""
        return b"\x00\x00\x01".join(nal for nal in self.nals if is_slice(nal, self.codec))

    @property
    def is_idr(self) -> bool:
        """Nothing after it needs anything before it (H.264: NAL type 5; HEVC: 19 and 20)."""
        wanted = {5} if self.codec == H264 else {19, 20}
        return any(kind in wanted for kind in self.nal_types)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFrame:
    """An AAC frame with its ADTS header. `pts` is in ticks from the stamp of its PES packet on."""

    data: bytes
    pts: Fraction
    rate: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """What a file holds. `units` are in decoding order."""

    packets: tuple[Packet, ...] = field(repr=False)
    tables: tuple[Table, ...] = field(repr=False)
    pes: tuple[Pes, ...] = field(repr=False)
    units: tuple[AccessUnit, ...]
    sound: tuple[AudioFrame, ...]

    @property
    def shown(self) -> tuple[AccessUnit, ...]:
        """The units in the order in which they are shown, for stamps that do not wrap."""
        return tuple(sorted(self.units, key=lambda unit: unit.pts))


def nal_type(nal: bytes, codec: int) -> int:
    return nal[0] & 0x1F if codec == H264 else nal[0] >> 1 & 0x3F


def is_slice(nal: bytes, codec: int) -> bool:
    """H.264: types 1 to 5 (7.4.1); HEVC: below 32 (7.4.2.2)."""
    kind = nal_type(nal, codec)
    return 1 <= kind <= 5 if codec == H264 else kind < 32


def read_transport(data: bytes) -> Transport:
    """All that is in `data`, which may be segments one after the other. Raises NotTransport."""
    packets = tuple(_packets(data))
    tables = tuple(_tables(packets))
    pes = tuple(_pes_packets(packets, tables))
    return Transport(
        packets=packets,
        tables=tables,
        pes=pes,
        units=tuple(_unit(one) for one in pes if one.kind in _VIDEO_TYPES),
        sound=tuple(_audio_frames([one for one in pes if one.kind in _AUDIO_TYPES])),
    )


def _packets(data: bytes) -> Iterator[Packet]:
    _require(data, "an empty file")
    _require(len(data) % PACKET_BYTES == 0, "2.4.3.2: whole packets of 188 bytes", len(data))
    for at in range(0, len(data), PACKET_BYTES):
        yield _packet(data[at : at + PACKET_BYTES], at // PACKET_BYTES)


def _packet(raw: bytes, index: int) -> Packet:
    where = f"packet {index}"
    _require(raw[0] == 0x47, "2.4.3.2: the sync byte", where)
    _require(not raw[1] & 0x80, "2.4.3.3: no transport error", where)
    _require(not raw[3] & 0xC0, "2.4.3.3: not scrambled", where)
    control = raw[3] >> 4 & 3
    _require(control, "2.4.3.3: adaptation_field_control 0 is reserved", where)
    pcr, discontinuity, begin = None, False, 4
    if control & 2:
        length = raw[4]
        fits = length <= 182 if control & 1 else length == 183
        _require(fits, "2.4.3.5: the adaptation field's length", where)
        begin = 5 + length
        if length:
            discontinuity = bool(raw[5] & 0x80)
            pcr = _adaptation(raw[5:begin], where)
    return Packet(
        pid=(raw[1] & 0x1F) << 8 | raw[2],
        starts=bool(raw[1] & 0x40),
        counter=raw[3] & 0xF,
        payload=raw[begin:] if control & 1 else None,
        pcr=pcr,
        discontinuity=discontinuity,
    )


def _adaptation(fields: bytes, where: str) -> int | None:
    """The PCR of an adaptation field without its length (2.4.3.4)."""
    flags = fields[0]
    at, pcr = 1, None
    if flags & 0x10:
        _require(len(fields) >= 7, "2.4.3.5: room for the PCR", where)
        value = int.from_bytes(fields[1:7], "big")
        extension = value & 0x1FF
        _require(extension < PCR_PER_TICK, "2.4.3.5: the PCR's extension is below 300", where)
        pcr = (value >> 15) * PCR_PER_TICK + extension
        at = 7
    if not flags & 0x0F:
        _require(set(fields[at:]) <= {0xFF}, "2.4.3.5: stuffing bytes are 0xFF", where)
    return pcr


def _tables(packets: Sequence[Packet]) -> Iterator[Table]:
    """All PAT and PMT; each is one section in one packet."""
    maps: set[int] = set()
    for index, packet in enumerate(packets):
        if packet.pid != _PAT_PID and packet.pid not in maps:
            continue
        section = _section(packet, index)
        if packet.pid == _PAT_PID:
            _require(section[0] == 0, "2.4.4.3: the PAT's table_id is 0", index)
            maps = set(_map_pids(section[8:-4]))
            _require(len(maps) == 1, "exactly one program", sorted(maps))
            yield Table(index, packet.pid, None, section)
        else:
            _require(section[0] == 2, "2.4.4.8: the PMT's table_id is 2", index)
            yield Table(index, packet.pid, _program(section, index), section)


def _section(packet: Packet, index: int) -> bytes:
    payload = packet.payload
    if payload is None or not packet.starts:
        raise NotTransport(f"2.4.4.1: a table begins in its packet: packet {index}")
    begin = 1 + payload[0]
    _require(len(payload) >= begin + 12, "2.4.4.1: the pointer stays in the packet", index)
    _require(payload[begin + 1] >> 4 == 0xB, "2.4.4.3: section_syntax and reserved bits", index)
    end = begin + 3 + ((payload[begin + 1] & 0x0F) << 8 | payload[begin + 2])
    _require(end <= len(payload), "2.4.4.3: the section's length", index)
    _require(set(payload[end:]) <= {0xFF}, "2.4.4.1: 0xFF after the last section", index)
    section = payload[begin:end]
    _require(section[5] & 1, "2.4.4.5: the table is valid now", index)
    _require(_crc(section) == 0, "annex A: the section's CRC", index)
    return section


def _map_pids(body: bytes) -> Iterator[int]:
    for at in range(0, len(body), 4):
        if body[at] << 8 | body[at + 1]:
            yield (body[at + 2] & 0x1F) << 8 | body[at + 3]


def _program(section: bytes, index: int) -> Program:
    clock = (section[8] & 0x1F) << 8 | section[9]
    at = 12 + ((section[10] & 0x0F) << 8 | section[11])
    end = len(section) - 4
    types: list[tuple[int, int]] = []
    while at < end:
        types.append(((section[at + 1] & 0x1F) << 8 | section[at + 2], section[at]))
        at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
    _require(at == end, "2.4.4.8: the PMT's streams fill it", index)
    return Program(clock, tuple(types))


def _crc(data: bytes) -> int:
    """Over a section with its CRC this is 0 (annex A)."""
    register = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            carry = register >> 31 ^ byte >> bit & 1
            register = register << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if carry else 0)
    return register


def _pes_packets(packets: Sequence[Packet], tables: Iterable[Table]) -> Iterator[Pes]:
    """PES packets of video and audio in the order in which they begin."""
    changes = {table.packet: table.program for table in tables if table.program is not None}
    types: dict[int, int] = {}
    opened: dict[int, tuple[int, int, int, list[bytes]]] = {}
    done: list[Pes] = []
    for index, packet in enumerate(packets):
        if index in changes:
            types = dict((changes[index] or Program(0, ())).types)
        kind = types.get(packet.pid)
        if packet.payload is None or kind not in _VIDEO_TYPES | _AUDIO_TYPES:
            continue
        if packet.starts:
            if packet.pid in opened:
                done.append(_pes(packet.pid, *opened[packet.pid]))
            opened[packet.pid] = (kind or 0, index, index, [packet.payload])
        else:
            _require(packet.pid in opened, "2.4.3.6: a PES packet begins first", f"packet {index}")
            before = opened[packet.pid]
            before[3].append(packet.payload)
            opened[packet.pid] = (before[0], before[1], index, before[3])
    done += [_pes(pid, *rest) for pid, rest in opened.items()]
    yield from sorted(done, key=lambda one: one.first)


def _pes(pid: int, kind: int, first: int, last: int, parts: list[bytes]) -> Pes:
    where = f"PES packet at packet {first}"
    raw = b"".join(parts)
    _require(len(raw) >= 14 and raw[:3] == b"\x00\x00\x01", "2.4.3.6: a PES header", where)
    stream_id, length = raw[3], raw[4] << 8 | raw[5]
    ids = range(0xE0, 0xF0) if kind in _VIDEO_TYPES else range(0xC0, 0xE0)
    _require(stream_id in ids, "2.4.3.7: the stream_id fits the type", f"{where}: {stream_id:#x}")
    whole = length == len(raw) - 6 or (length == 0 and kind in _VIDEO_TYPES)
    _require(whole, "2.4.3.7: PES_packet_length", f"{where}: {length} for {len(raw) - 6}")
    _require(raw[6] >> 6 == 2, "2.4.3.6: the marker bits '10'", where)
    _require(not raw[6] & 0x30, "2.4.3.7: not scrambled", where)
    stamps, header = raw[7] >> 6, 9 + raw[8]
    _require(stamps in {2, 3}, "2.4.3.7: every PES packet has a PTS", where)
    used = 9 + 5 * (stamps - 1)
    _require(used <= header <= len(raw), "2.4.3.7: PES_header_data_length", where)
    if not raw[7] & 0x3F:
        _require(set(raw[used:header]) <= {0xFF}, "2.4.3.7: stuffing bytes are 0xFF", where)
    pts = _stamp(raw[9:14], stamps, where)
    dts = _stamp(raw[14:19], 1, where) if stamps == 3 else pts
    return Pes(pid, kind, first, last, stream_id, pts, dts, raw[header:])


def _stamp(raw: bytes, prefix: int, where: str) -> int:
    value = int.from_bytes(raw, "big")
    _require(value >> 36 == prefix, "2.4.3.6: the bits before a time stamp", where)
    marks = value >> 32 & 1, value >> 16 & 1, value & 1
    _require(all(marks), "2.4.3.6: the marker bits within a time stamp", where)
    return (value >> 33 & 7) << 30 | (value >> 17 & 0x7FFF) << 15 | value >> 1 & 0x7FFF


def _unit(pes: Pes) -> AccessUnit:
    where = f"access unit at packet {pes.first}"
    nals = tuple(_nals(pes.data, where))
    begins = [nal for nal in nals if is_slice(nal, pes.kind) and _is_first_slice(nal, pes.kind)]
    _require(len(begins) == 1, "one picture in each PES packet", f"{where}: {len(begins)}")
    return AccessUnit(
        data=pes.data, pts=pes.pts, dts=pes.dts, codec=pes.kind, packet=pes.first, nals=nals
    )


def _nals(data: bytes, where: str) -> Iterator[bytes]:
    """H.264 and HEVC, annex B."""
    before, *nals = data.split(b"\x00\x00\x01")
    _require(not before.strip(b"\x00") and nals, "annex B: a start code comes first", where)
    for nal in nals:
        content = nal.rstrip(b"\x00")
        _require(content and not content[0] & 0x80, "annex B: forbidden_zero_bit", where)
        yield content


def _is_first_slice(nal: bytes, codec: int) -> bool:
    """first_mb_in_slice is 0 (a 1 bit), or first_slice_segment_in_pic_flag is set."""
    return bool(nal[1 if codec == H264 else 2] & 0x80)


def _audio_frames(pes: Sequence[Pes]) -> Iterator[AudioFrame]:
    """The AAC frames, which may lie across PES packets. A PTS is that of the first frame that
    begins in its packet (2.4.3.7).
    """
    data = b"".join(one.data for one in pes)
    begins: list[int] = []
    position = 0
    for one in pes:
        begins.append(position)
        position += len(one.data)
    at, last, pts = 0, -1, Fraction()
    while at < len(data):
        where = f"byte {at} of the audio"
        length, rate, channels = _adts(data[at : at + 7], where)
        _require(at + length <= len(data), "1.A.2.2: the last AAC frame is whole", where)
        holder = bisect_right(begins, at) - 1
        if holder != last:
            last, pts = holder, Fraction(pes[holder].pts)
        yield AudioFrame(data=data[at : at + length], pts=pts, rate=rate, channels=channels)
        pts += Fraction(AAC_SAMPLES * CLOCK_HZ, rate)
        at += length


def _adts(head: bytes, where: str) -> tuple[int, int, int]:
    """Length, rate and channels (ISO/IEC 14496-3, 1.A.2.2.1)."""
    _require(len(head) == 7 and head[0] == 0xFF, "1.A.2.2: an ADTS header", where)
    _require(head[1] & 0xF6 == 0xF0, "1.A.2.2: syncword and layer", where)
    index = head[2] >> 2 & 0xF
    _require(index < len(_AAC_RATES), "1.A.2.2: the sampling frequency", where)
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    _require(length > 7, "1.A.2.2: the frame's length", where)
    _require(not head[6] & 3, "1.A.2.2: one raw data block in each frame", where)
    return length, _AAC_RATES[index], (head[2] & 1) << 2 | head[3] >> 6


def judge(
    data: bytes,
    *,
    frame_rate: Fraction | None,
    audio: bool = True,
    first_pts: int = FIRST_PTS,
    holes: bool = False,
    delimiters: bool = True,
) -> Transport:
    """What is in the output `data`, if it obeys every rule; raises NotTransport otherwise.

    `frame_rate` None means audio only, `audio` False none. `holes` allows slots of the grid that
    hold no frame; `delimiters` False allows access units without one, as a source may have them.
    """
    transport = read_transport(data)
    pids = _judge_program(transport, has_video=frame_rate is not None, has_audio=audio)
    _judge_pids(transport, pids)
    _judge_counters(transport.packets)
    _judge_clock(transport, pids[0])
    if frame_rate is not None:
        _judge_decoding(transport, delimiters)
        _judge_grid(transport, frame_rate, first_pts, holes)
    if audio:
        _judge_sound(transport)
    return transport


def slots(transport: Transport, frame_rate: Fraction, first_pts: int = FIRST_PTS) -> list[int]:
    """The slot of the grid that each frame is shown in, in order of display. Raises NotTransport
    where one lies beside it.
    """
    found = []
    for unit in transport.shown:
        ticks = unit.pts - first_pts
        slot = -(-ticks * frame_rate.numerator // (CLOCK_HZ * frame_rate.denominator))
        exact = slot * CLOCK_HZ * frame_rate.denominator // frame_rate.numerator
        _require(
            exact == ticks,
            "every frame is shown at floor(k * 90000 / fps)",
            f"{unit.pts} is {ticks - exact:+} ticks from slot {slot}",
        )
        found.append(slot)
    return found


def _judge_program(transport: Transport, *, has_video: bool, has_audio: bool) -> list[int]:
    """The PIDs of video and audio, of what there is."""
    first = [packet.pid for packet in transport.packets[:3] if packet.pid != _SDT_PID]
    programs = {table.program for table in transport.tables if table.program is not None}
    _require(programs, "there is a PMT")
    _require(len(programs) == 1, "the PMT never changes", programs)
    _require(
        first[0] == _PAT_PID and first[1] == _maps(transport)[0].pid,
        "PAT and PMT come first",
        first,
    )
    for pid in {table.pid for table in transport.tables}:
        sections = {table.section for table in transport.tables if table.pid == pid}
        _require(len(sections) == 1, "tables never change", f"PID {pid}")
    (program,) = programs
    videos = [pid for pid, kind in program.types if kind in {H264, HEVC}]
    audios = [pid for pid, kind in program.types if kind == AAC]
    _require(len(videos) == has_video, "exactly the video that is wanted", program.types)
    _require(len(audios) == has_audio, "exactly the audio that is wanted", program.types)
    _require(len(program.types) == has_video + has_audio, "no other streams", program.types)
    pids = [*videos, *audios]
    _require(program.pcr_pid == pids[0], "the PCR is on the video's PID", program.pcr_pid)
    return pids


def _maps(transport: Transport) -> list[Table]:
    return [table for table in transport.tables if table.program is not None]


def _judge_pids(transport: Transport, pids: list[int]) -> None:
    allowed = {*pids, _PAT_PID, _SDT_PID, _maps(transport)[0].pid}
    for index, packet in enumerate(transport.packets):
        _require(packet.pid in allowed, "no other PIDs", f"PID {packet.pid} at packet {index}")
    used = {packet.pid for packet in transport.packets}
    _require(used >= set(pids), "every announced stream is there", sorted(used))


def _judge_counters(packets: Sequence[Packet]) -> None:
    """2.4.3.3: counters count packets with a payload; a doubled packet is of no use in a file."""
    last: dict[int, int] = {}
    for index, packet in enumerate(packets):
        where = f"PID {packet.pid} at packet {index}"
        _require(not packet.discontinuity, "no discontinuity is announced", where)
        before = last.get(packet.pid)
        last[packet.pid] = packet.counter
        if before is None:
            continue
        wanted = before if packet.payload is None else before + 1 & 0xF
        _require(
            packet.counter == wanted,
            "2.4.3.3: the continuity counter",
            f"{where}: {packet.counter} instead of {wanted}",
        )


def _judge_clock(transport: Transport, clock_pid: int) -> None:
    at: list[int] = []
    clocks: list[int] = []
    for index, packet in enumerate(transport.packets):
        if packet.pcr is not None:
            _require(packet.pid == clock_pid, "the PCR is on its PID", f"packet {index}")
            at.append(index)
            clocks.append(packet.pcr)
    _require(clocks, "there is a PCR")
    for before, after in pairwise(clocks):
        _require(after >= before, "2.4.3.5: the PCR never goes back", f"{before} to {after}")
        _require(after - before <= LONGEST_PCR_STEP, "2.7.2: a PCR every 100 ms", after - before)
    _judge_arrival(transport, at, clocks)
    _judge_tables(transport, at, clocks)


def _judge_arrival(transport: Transport, at: list[int], clocks: list[int]) -> None:
    """Each PES packet has arrived when it is decoded, and not long before."""
    for pes in transport.pes:
        where = f"PES packet of PID {pes.pid} at packet {pes.first}, DTS {pes.dts}"
        # What comes before the first PCR is judged by it.
        begin, end = (max(bisect_right(at, i) - 1, 0) for i in (pes.first, pes.last))
        due = pes.dts * PCR_PER_TICK
        _require(clocks[end] <= due, "2.4.2.6: the PCR is not after the DTS of what follows", where)
        _require(due - clocks[begin] <= EARLIEST_ARRIVAL, "at most 1.5 s before its DTS", where)


def _judge_tables(transport: Transport, at: list[int], clocks: list[int]) -> None:
    """PAT and PMT come at least every 100 ms, by the next PCR after each."""
    for pid in {table.pid for table in transport.tables}:
        placed = [bisect_left(at, table.packet) for table in transport.tables if table.pid == pid]
        times = [clocks[min(place, len(clocks) - 1)] for place in placed]
        for before, after in pairwise([*times, clocks[-1]]):
            _require(
                after - before <= LONGEST_TABLE_STEP,
                "PAT and PMT every 100 ms",
                f"PID {pid}: {(after - before) / 27_000:.1f} ms",
            )


def _judge_decoding(transport: Transport, delimiters: bool) -> None:
    _require(transport.units, "there is video")
    first = transport.units[0]
    starts = first.is_idr or (first.codec == HEVC and 21 in first.nal_types)
    _require(starts, "the first picture can be decoded alone", first.nal_types)
    for unit in transport.units:
        _require(unit.pts >= unit.dts, "2.4.3.7: PTS is not before DTS", f"{unit.pts} {unit.dts}")
        heads = [index for index, kind in enumerate(unit.nal_types) if kind == _delimiter(unit)]
        wanted = heads == [0] or (not delimiters and not heads)
        _require(wanted, "2.14.1: an access unit begins with its delimiter", unit.nal_types)
    for before, after in pairwise(transport.units):
        _require(after.dts > before.dts, "DTS increase", f"{before.dts}, {after.dts}")


def _delimiter(unit: AccessUnit) -> int:
    return 9 if unit.codec == H264 else 35


def _judge_grid(transport: Transport, frame_rate: Fraction, first_pts: int, holes: bool) -> None:
    found = slots(transport, frame_rate, first_pts)
    _require(found[0] == 0, "the first frame's PTS", f"{transport.shown[0].pts}, not {first_pts}")
    for before, after in pairwise(found):
        _require(after > before, "one frame in each slot", f"slot {after} twice")
        _require(holes or after == before + 1, "no slot is empty", f"between {before} and {after}")


def _judge_sound(transport: Transport) -> None:
    """Audio PES stand on a grid of AAC frames: stamps lie within one tick of it, all rounded the
    same way.
    """
    frames = transport.sound
    _require(frames, "there is audio")
    kinds = {(frame.rate, frame.channels) for frame in frames}
    _require(len(kinds) == 1, "the audio's parameters never change", kinds)
    step = Fraction(AAC_SAMPLES * CLOCK_HZ, frames[0].rate)
    off = [frame.pts - index * step for index, frame in enumerate(frames)]
    for index, value in enumerate(off):
        _require(
            abs(value - off[0]) < 1,
            "2.4.3.7: AAC frames follow each other without gap or overlap",
            f"frame {index} is {float(value - off[0]):+.2f} ticks off",
        )
    _require(max(off) - min(off) < 1, "audio stamps are all rounded alike", float(max(off)))
