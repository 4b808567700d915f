"""What streamlink and we see of Twitch, on loopback: whom it lets watch, and where the stream is.

    POST /gql                           the operation PlaybackAccessToken: a token, its signature
    GET  /api/v2/channel/hls/NAME.m3u8  the master playlist, for whoever shows such a token
    GET  /v1/playlist/KEY.m3u8          a media playlist; KEY is secret, and expires

The video is an origin's; its segments are named with their full addresses there. Master playlists
are of the newer form, without EXT-X-MEDIA: qualities are told apart by STABLE-VARIANT-ID.
"""

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import requests

from tests.support.origin import Origin
from tests.support.web_server import Answer, Request, web_server

_HLS = "application/vnd.apple.mpegurl"
_KEY = b"only the server knows it"
_TOKEN_SECONDS = 1200
_QUALITIES = {
    "source": ("720p60", "BANDWIDTH=3200000,RESOLUTION=1280x720,FRAME-RATE=60.000"),
    "360p30": ("360p30", "BANDWIDTH=700000,RESOLUTION=640x360,FRAME-RATE=30.000"),
}
"""For each of the origin's, what it is called and what the master playlist says of it."""


class Mood(Enum):
    """How a channel answers."""

    LIVE = "live"
    UNKNOWN = "unknown"
    """There is no such channel: no token."""
    OFF_THE_AIR = "off the air"
    """There is a token, but the master playlist is not there."""
    REFUSED = "refused"
    """There is a token, but not for the viewer's country."""
    UNTRUSTED = "untrusted"
    """A client that is no browser gets no token."""
    BROKEN = "broken"
    """The API answers 503."""
    GARBLED = "garbled"
    """The API answers something that is no JSON."""


@dataclass
class Twitch:
    """`moods` says how channels answer; those that it does not name are unknown."""

    origin: Origin
    moods: dict[str, Mood] = field(default_factory=dict)
    url: str = ""
    answers: "Counter[tuple[str, int]]" = field(default_factory=Counter)
    """How often each kind of request (gql, usher, playlist) was answered with each status."""
    tokens: "Counter[str]" = field(default_factory=Counter)
    """How many tokens each channel's viewers got."""

    def __post_init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def rewrites(self) -> tuple[str, ...]:
        """The flags that send streamlink here instead."""
        hosts = ("https://gql.twitch.tv", "https://usher.ttvnw.net")
        return tuple(part for host in hosts for part in ("--rewrite", f"{host}={self.url}"))

    def expire(self) -> None:
        """Refuse all addresses of media playlists that were given out so far."""
        with self._lock:
            self._keys.clear()

    def has_answered(self, kind: str, status: int, times: int) -> bool:
        """Whether requests of this kind were answered so at least so often."""
        return self.answers[kind, status] >= times

    def answer(self, request: Request) -> Answer:
        kind, answer = self._answer(request)
        with self._lock:
            self.answers[kind, answer.status] += 1
        return answer

    def _answer(self, request: Request) -> tuple[str, Answer]:
        if request.path == "/gql":
            return "gql", self._gql(request)
        channel = request.path.removeprefix("/api/v2/channel/hls/").removesuffix(".m3u8")
        if f"/api/v2/channel/hls/{channel}.m3u8" == request.path:
            return "usher", self._usher(channel, request.query)
        return "playlist", self._playlist(request.path)

    # GraphQL

    def _gql(self, request: Request) -> Answer:
        if not request.headers.get("client-id"):
            return _json({"error": "Bad Request", "message": "The Client-ID is missing"}, 400)
        asked = json.loads(request.body)
        if isinstance(asked, list):
            return _json([{"data": self._metadata(query)} for query in asked])
        if asked["operationName"] != "PlaybackAccessToken":
            return _json({"errors": [{"message": "PersistedQueryNotFound"}]})
        variables = asked["variables"]
        if not variables["isLive"] or variables["isVod"] or not variables["playerType"]:
            return _json({"errors": [{"message": "service error"}]})
        return self._access(variables["login"])

    def _access(self, channel: str) -> Answer:
        mood = self.moods.get(channel, Mood.UNKNOWN)
        if mood is Mood.BROKEN:
            return _json({"error": "Service Unavailable", "message": "try later"}, 503)
        if mood is Mood.GARBLED:
            return Answer(body=b"<html>", content_type="text/html")
        if mood is Mood.UNTRUSTED:
            errors = [{"message": "failed integrity check"}]
            return _json({"errors": errors, "data": {"streamPlaybackAccessToken": None}})
        if mood is Mood.UNKNOWN:
            return _json({"data": {"streamPlaybackAccessToken": None}})
        with self._lock:
            self.tokens[channel] += 1
        token = json.dumps(
            {
                "channel": channel,
                "chansub": {"restricted_bitrates": []},
                "expires": time.time() + _TOKEN_SECONDS,
            }
        )
        access = {"value": token, "signature": _sign(token)}
        return _json({"data": {"streamPlaybackAccessToken": access}})

    def _metadata(self, query: dict[str, Any]) -> dict[str, Any]:
        """Of a channel: its name, or what it shows."""
        variables = query["variables"]
        if query["operationName"] == "ChannelShell":
            return {"userOrError": {"displayName": variables["login"]}}
        shows = self.moods.get(variables["channelLogin"]) in {Mood.LIVE, Mood.REFUSED}
        stream = {"id": "1", "game": {"name": "Counting"}} if shows else None
        return {"user": {"lastBroadcast": {"title": "Frames"}, "stream": stream}}

    # Playlists

    def _usher(self, channel: str, query: dict[str, str]) -> Answer:
        token = query.get("token", "{}")
        if not hmac.compare_digest(query.get("sig", ""), _sign(token)):
            return _refusal(403, "nauth_token_invalid")
        claims = json.loads(token)
        if claims["channel"] != channel or claims["expires"] < time.time():
            return _refusal(403, "nauth_token_expired")
        mood = self.moods.get(channel)
        if mood is Mood.REFUSED:
            return _refusal(403, "content_geoblocked")
        if mood is not Mood.LIVE:
            return _refusal(404, "transcode_does_not_exist")
        return Answer(body=self._master().encode(), content_type=_HLS)

    def _master(self) -> str:
        lines = ["#EXTM3U", '#EXT-X-SESSION-DATA:DATA-ID="NODE",VALUE="video-edge.here"']
        for quality, (name, attributes) in _QUALITIES.items():
            key = secrets.token_urlsafe(24)
            with self._lock:
                self._keys[f"/v1/playlist/{key}.m3u8"] = quality
            names = f'STABLE-VARIANT-ID="{name}",IVS-NAME="{name}"'
            lines.append(f'#EXT-X-STREAM-INF:{attributes},CODECS="avc1.640020,mp4a.40.2",{names}')
            lines.append(f"{self.url}/v1/playlist/{key}.m3u8")
        return "\n".join(lines) + "\n"

    def _playlist(self, path: str) -> Answer:
        with self._lock:
            quality = self._keys.get(path)
        if quality is None:
            return _refusal(403, "nauth_token_expired")
        text = requests.get(self.origin.media_url(quality), timeout=60).text
        text = text.replace("../segments/", f"{self.origin.url}/segments/")
        return Answer(body=_with_prefetch(text).encode(), content_type=_HLS)


@contextmanager
def twitch(origin: Origin, **moods: Mood) -> Iterator[Twitch]:
    """Twitch with these channels, which all show what the origin does."""
    site = Twitch(origin=origin, moods=moods)
    with web_server(site.answer) as site.url:
        yield site


def _with_prefetch(text: str) -> str:
    """With the address of the segment that comes next: low-latency players ask for it early."""
    addresses = [line for line in text.splitlines() if line.endswith(".ts")]
    if not addresses:
        return text
    folder, _, name = addresses[-1].rpartition("/")
    number = int(name.removesuffix(".ts")) + 1
    return f"{text}#EXT-X-TWITCH-PREFETCH:{folder}/{number:06d}.ts\n"


def _sign(token: str) -> str:
    return hmac.new(_KEY, token.encode(), hashlib.sha1).hexdigest()


def _json(body: Any, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(body).encode(), content_type="application/json")


def _refusal(status: int, code: str) -> Answer:
    return _json([{"url": "", "error": code, "error_code": code, "type": "error"}], status)
