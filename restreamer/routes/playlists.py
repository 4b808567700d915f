"""HLS playlists. See `restreamer.session` for why a media playlist has a session in its URL."""

from collections.abc import Callable
from contextlib import nullcontext

from flask import Response
from flask_openapi3 import OpenAPI
from pydantic import BaseModel, Field
from werkzeug.exceptions import NotFound

from common.errors import BadParameter
from common.threads import in_thread
from common.times import HOUR, MINUTE, Micros, format_time, parse_hour
from restreamer.limits import Limit
from restreamer.params import ranges_params, seconds_param, span_params, time_param
from restreamer.playlist import (
    CONTENT_TYPE,
    MediaPlaylist,
    Variant,
    master_playlist,
    media_playlist,
    url,
)
from restreamer.recording import Recording, Span
from restreamer.responses import text_reply
from restreamer.routes.files import ChannelPath, QualityPath
from restreamer.session import LANDING_SETTLES, Session

# A live playlist changes with every segment; players ask that often, caches need not more.
_LIVE = "public, max-age=1"
# Nothing that a closed playlist lists changes, but what is missing may still be copied from others.
_CLOSED = "public, max-age=3600"
_CLOSED_WITH_HOLES = "public, max-age=30"

_LONGEST_TARGET_SECONDS = 3600
# Servers behind one address have slightly different clocks.
_CLOCK_SKEW: Micros = MINUTE
# Ranges longer than this are listed by a few requests at a time only.
_WIDE: Micros = 6 * HOUR


class PlaylistQuery(BaseModel):
    start: str | None = Field(None, description="ISO 8601, UTC. Without it: the live window.")
    end: str | None = Field(None, description="ISO 8601, UTC. Without it the playlist grows.")


class MediaQuery(PlaylistQuery):
    range: list[str] = Field(
        [], description="START,END; may be given several times: a preview of a cut, in this order."
    )
    session: str | None = Field(None, description="When this player's session opened.")
    target: str | None = Field(None, description="The session's target duration in seconds.")


class _Playlists:
    def __init__(self, recording: Recording, clock: Callable[[], Micros], wide: Limit) -> None:
        self._recording = recording
        self._clock = clock
        self._wide = wide

    def master(self, channel: str, query: PlaylistQuery) -> Response:
        span = _span(query)
        variants = in_thread(lambda: self._variants(channel, span))
        if not variants:
            raise NotFound(f"nothing of {channel} is recorded there")
        return text_reply(master_playlist(variants), CONTENT_TYPE, _LIVE)

    def media(self, channel: str, quality: str, query: MediaQuery) -> Response:
        if query.range:
            return self._preview(channel, quality, query)
        session = _session(query, self._clock())
        span = self._whole(channel, quality, _span(query))
        if session is None and not span.is_over(self._clock()):
            return self._to_session(channel, quality, span)
        return self._reply(
            channel,
            quality,
            lambda: self._playlist(channel, quality, span, session),
            lambda playlist: _cache_control(playlist, span),
            wide=self._is_wide(span),
        )

    def _preview(self, channel: str, quality: str, query: MediaQuery) -> Response:
        """The ranges one after another, in whole segments, as they are recorded now."""
        if query.session is not None or query.target is not None:
            raise BadParameter("session", "a playlist of ranges is closed and has no session")
        ranges = ranges_params(query.start, query.end, query.range)
        return self._reply(
            channel,
            quality,
            lambda: self._recording.joined_playlist(channel, quality, ranges),
            lambda _playlist: _CLOSED_WITH_HOLES,
            wide=sum(span.duration for span in ranges) > _WIDE,
        )

    def _reply(
        self,
        channel: str,
        quality: str,
        build: Callable[[], MediaPlaylist],
        cache_control: Callable[[MediaPlaylist], str],
        *,
        wide: bool,
    ) -> Response:
        def write() -> tuple[str, str] | None:
            playlist = build()
            if not playlist.entries:
                return None
            base = url(["..", "..", "segments", channel, quality], "", {})
            return media_playlist(playlist, base), cache_control(playlist)

        with self._wide.place() if wide else nullcontext():
            written = in_thread(write)
        if written is None:
            raise NotFound(f"nothing of {channel}/{quality} is recorded there (yet)")
        return text_reply(written[0], CONTENT_TYPE, written[1])

    def _playlist(
        self, channel: str, quality: str, span: Span, session: Session | None
    ) -> MediaPlaylist:
        closed = span.closed()
        if session is None and closed is not None:
            return self._recording.closed_playlist(channel, quality, closed)
        if session is None:
            raise AssertionError("only closed ranges have no session")
        now = self._clock() - LANDING_SETTLES
        return self._recording.session_playlist(channel, quality, span, session, now)

    def _variants(self, channel: str, span: Span) -> list[Variant]:
        now = self._clock()
        variants = []
        for quality in self._recording.qualities(channel):
            query = _span_query(span)
            if not span.is_over(now):
                query |= self._new_session(channel, quality, span, now - LANDING_SETTLES)
            uri = url([channel, quality], ".m3u8", query)
            variant = self._recording.variant(channel, quality, span, uri)
            if variant is not None:
                variants.append(variant)
        return variants

    def _to_session(self, channel: str, quality: str, span: Span) -> Response:
        """Send the client to the session of the current hour: asking again leads there again."""
        opened = self._clock()
        opened -= opened % HOUR
        session = in_thread(lambda: self._new_session(channel, quality, span, opened))
        target = url([quality], ".m3u8", _span_query(span) | session)
        response = Response("", 307, content_type="text/plain; charset=utf-8")
        response.headers["Location"] = target
        response.headers["Cache-Control"] = _LIVE
        return response

    def _new_session(
        self, channel: str, quality: str, span: Span, opened: Micros
    ) -> dict[str, str]:
        session = self._recording.new_session(channel, quality, span.start, opened)
        return {
            "session": f"{format_time(session.opened)}Z",
            "target": str(session.target_seconds),
        }

    def _whole(self, channel: str, quality: str, span: Span) -> Span:
        """An end without a start means everything up to it."""
        if span.start is not None or span.end is None:
            return span
        hour = in_thread(lambda: self._recording.first_hour(channel, quality))
        if hour is None or parse_hour(hour) >= span.end:
            raise NotFound(f"nothing of {channel}/{quality} is recorded there")
        return Span(start=parse_hour(hour), end=span.end)

    def _is_wide(self, span: Span) -> bool:
        if span.start is None:
            return False
        return min(span.end or self._clock(), self._clock()) - span.start > _WIDE


def _span(query: PlaylistQuery) -> Span:
    if query.start is not None and query.end is not None:
        both = span_params(query.start, query.end)
        return Span(start=both.start, end=both.end)
    return Span(
        start=None if query.start is None else time_param("start", query.start),
        end=None if query.end is None else time_param("end", query.end),
    )


def _span_query(span: Span) -> dict[str, str]:
    moments = {"start": span.start, "end": span.end}
    return {name: f"{format_time(at)}Z" for name, at in moments.items() if at is not None}


def _session(query: MediaQuery, now: Micros) -> Session | None:
    if query.session is None:
        if query.target is not None:
            raise BadParameter("target", "it belongs to a session; leave both out to get one")
        return None
    opened = time_param("session", query.session)
    if opened > now + _CLOCK_SKEW:
        raise BadParameter("session", "it opens in the future")
    if query.target is None:
        raise BadParameter("target", "it is missing; leave the session out too to get both")
    return Session(
        opened=opened,
        target_seconds=seconds_param("target", query.target, _LONGEST_TARGET_SECONDS),
    )


def _cache_control(playlist: MediaPlaylist, span: Span) -> str:
    if not playlist.closed:
        return _LIVE
    covered = span.closed()
    first, last = playlist.entries[0].segment, playlist.entries[-1].segment
    whole = (
        covered is not None
        and first.start <= covered.start
        and last.end >= covered.end
        and not any(entry.discontinuity for entry in playlist.entries)
    )
    return _CLOSED if whole else _CLOSED_WITH_HOLES


def add_routes(
    app: OpenAPI, recording: Recording, *, clock: Callable[[], Micros], wide: Limit
) -> None:
    playlists = _Playlists(recording, clock, wide)

    @app.get("/playlist/<channel>.m3u8", summary="The master playlist: all qualities.")
    def master(path: ChannelPath, query: PlaylistQuery) -> Response:
        return playlists.master(path.channel, query)

    @app.get("/playlist/<channel>/<quality>.m3u8", summary="The media playlist of a quality.")
    def media(path: QualityPath, query: MediaQuery) -> Response:
        return playlists.media(path.channel, path.quality, query)
