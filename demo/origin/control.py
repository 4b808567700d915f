"""The control endpoints: what tests ask the origin to do, and what they ask of it afterwards.

POST   /control/clock      {"advance_seconds": 2} or {"speed": 10}
POST   /control/stream     fields of `StreamChange`
POST   /control/faults     fields of `FaultRequest`
DELETE /control/faults
GET    /control/requests   every request for a playlist or a segment, and counts per path
GET    /control/listed     every segment that was listed, when, and the hash of its bytes
GET    /control/status
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flask import Response, jsonify
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, ConfigDict, Field

from common.errors import BadParameter
from common.times import SECOND, Micros, format_time
from common.web import text_response
from demo.origin.broadcast import Entry
from demo.origin.clock import SteppedClock
from demo.origin.faults import Fault, Faults, Kind
from demo.origin.station import Station


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ClockChange(_Body):
    """How the clock of a recorded stream goes on."""

    advance_seconds: float = Field(default=0, ge=0)
    speed: float | None = Field(default=None, ge=0)


class StreamChange(_Body):
    """What is to be different from the next segment on; what is left out stays as it is."""

    program_date_time: bool | None = None
    jump_seconds: float | None = None
    """PROGRAM-DATE-TIME jumps by this much, for good."""
    restart_at_sequence: int | None = Field(default=None, ge=0)
    discontinuity: bool = False
    advertisement_segments: int | None = Field(default=None, ge=1)
    advertisement_marks: list[Literal["class", "id", "title"]] = ["class", "id", "title"]
    ended: bool | None = None
    frozen: bool | None = None
    map: bool | None = None
    window_segments: int | None = Field(default=None, ge=1)
    target_seconds: int | None = Field(default=None, ge=2)
    token_seconds: float | None = Field(default=None, ge=0)
    """0 gives out URLs that do not expire, and refuses none."""


class FaultRequest(_Body):
    """See `demo.origin.faults.Fault`. `times` 0 means always."""

    path: str
    kind: Kind
    times: int = Field(default=1, ge=0)
    status: int = Field(default=500, ge=300, le=599)
    seconds: float = Field(default=60.0, ge=0)
    sent_bytes: int | None = Field(default=None, ge=0)
    excess_bytes: int = 188


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that was answered: when (the origin's clock), for which path, how."""

    at: Micros
    path: str
    status: int
    fault: str | None


def add_control_routes(
    app: OpenAPI, *, station: Station, faults: Faults, requests: Sequence[Request]
) -> None:
    """Add everything below /control. `requests` is filled by who answers them."""

    @app.post("/control/clock")
    def change_clock(body: ClockChange) -> Response:
        clock = station.clock
        if not isinstance(clock, SteppedClock):
            raise BadParameter("clock", "a live encoder runs on the machine's own time")
        clock.advance(body.advance_seconds)
        if body.speed is not None:
            clock.set_speed(body.speed)
        station.catch_up()
        return _status(station)

    @app.post("/control/stream")
    def change_stream(body: StreamChange) -> Response:
        station.catch_up()
        _change(station, body)
        station.catch_up()
        return _status(station)

    @app.post("/control/faults")
    def add_fault(body: FaultRequest) -> Response:
        faults.add(Fault(**{**body.model_dump(), "times": body.times or None}))
        return text_response("", 204)

    @app.delete("/control/faults")
    def clear_faults() -> Response:
        faults.clear()
        return text_response("", 204)

    @app.get("/control/requests")
    def list_requests() -> Response:
        log = [
            {"at": format_time(r.at), "path": r.path, "status": r.status, "fault": r.fault}
            for r in requests
        ]
        return jsonify({"counts": Counter(r.path for r in requests), "log": log})

    @app.get("/control/listed")
    def list_listed() -> Response:
        station.catch_up()
        return jsonify([_entry(entry) for entry in station.broadcast.entries])

    @app.get("/control/status")
    def status() -> Response:
        station.catch_up()
        return _status(station)


def _change(station: Station, body: StreamChange) -> None:
    broadcast = station.broadcast
    fields: dict[str, Any] = body.model_dump(
        include={
            *("program_date_time", "ended", "frozen", "map", "window_segments", "target_seconds")
        },
        exclude_none=True,
    )
    if body.token_seconds is not None:
        fields["token_seconds"] = body.token_seconds or None
    if body.jump_seconds is not None:
        fields["time_offset"] = broadcast.state.time_offset + round(body.jump_seconds * SECOND)
    broadcast.change(**fields)
    if body.restart_at_sequence is not None:
        broadcast.restart(body.restart_at_sequence)
    if body.discontinuity:
        broadcast.mark_discontinuity()
    if body.advertisement_segments is not None:
        broadcast.advertise(body.advertisement_segments, frozenset(body.advertisement_marks))


def _status(station: Station) -> Response:
    now = station.clock.now()
    state = station.broadcast.state
    return jsonify(
        {
            "now": format_time(now),
            "epoch": format_time(station.material.epoch),
            "complete": station.material.complete(now),
            "listed": len(station.broadcast.entries),
            "program_date_time": state.program_date_time,
            "ended": state.ended,
            "frozen": state.frozen,
            "token_seconds": state.token_seconds,
        }
    )


def _entry(entry: Entry) -> dict[str, object]:
    stamp = entry.program_date_time
    return {
        "index": entry.offer.index,
        "sequence": entry.sequence,
        "start": format_time(entry.offer.start),
        "duration_seconds": entry.offer.duration / SECOND,
        "program_date_time": None if stamp is None else format_time(stamp),
        "discontinuity": entry.discontinuity,
        "advertisement": entry.advertisement is not None,
        "complete_at": format_time(entry.offer.at),
        "listed_at": format_time(entry.listed_at),
        "hashes": dict(entry.offer.hashes),
    }
