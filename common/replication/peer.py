"""What another node says it has, and its bytes. Everything that it says is untrusted.

Names are parsed before anybody sees them, so no path can come of them that leads elsewhere. Bodies
are bounded in bytes and in time, redirects and encoded bodies are refused (`HttpClient(strict)`),
and what makes no sense is BadAnswer. What a peer lists beside it that is of no use (temp files,
names that do not parse) is left out.

A node of the original Wubloader knows no `/digest`; it is asked for the names of each hour.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from common.errors import BadAnswer, BadStatus
from common.extras import is_safe_path
from common.http import NOT_MODIFIED, HttpClient, Response
from common.replication import digest as digests
from common.replication.digest import ForeignDigest, QualityDigest, parse_digest
from common.replication.listing import Listing, parse_listing
from common.replication.nodes import Node
from common.segments.path import is_component
from common.threads import in_thread
from common.times import parse_hour

_LISTING_BYTES = 4 * 1024 * 1024
_MOST_NAMES = 20_000
"""In one listing. An hour of half-second segments has 7,200."""
_UNKNOWN = frozenset({400, 404, 405, 410, 501})
"""How a server says that it does not know `/digest`."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A digest, and the ETag to ask for it again."""

    digest: QualityDigest
    etag: str | None


class Peer:
    """One other node. Every method raises FetchError.

    `answer_seconds` is how long a listing may take, from the connection to its last byte.
    """

    def __init__(self, node: Node, http: HttpClient, *, answer_seconds: float = 20.0) -> None:
        self.node = node
        self._http = http
        self._answer_seconds = answer_seconds

    def digest(self, channel: str, quality: str, known: Answer | None = None) -> Answer | None:
        """What the node has now; `known` itself if that has not changed.

        None if the node knows no digest that we understand.
        """
        headers = {"If-None-Match": known.etag} if known and known.etag else {}
        url = self._url("digest", channel, quality)
        try:
            with self._http.get(
                url, deadline_seconds=self._answer_seconds, headers=headers
            ) as response:
                if known is not None and response.status == NOT_MODIFIED:
                    return known
                body = response.read(digests.LIMIT_BYTES)
                etag = response.headers.get("ETag")
        except BadStatus as exc:
            if exc.status in _UNKNOWN:
                return None
            raise
        try:
            return Answer(digest=in_thread(parse_digest, body), etag=etag)
        except ForeignDigest:
            return None
        except ValueError as exc:
            raise BadAnswer(url, str(exc)) from exc

    def qualities(self, channel: str) -> list[str]:
        """A channel's qualities."""
        names = self._names("files", channel)
        return [name for name in names if is_component(name)]

    def hours(self, channel: str, quality: str) -> list[str]:
        """The hours that have a folder, the newest first."""
        return sorted(filter(_is_hour, self._names("files", channel, quality)), reverse=True)

    def listing(self, channel: str, quality: str, hour: str) -> Listing:
        """What the node has in an hour, tombstones included."""
        names = self._names("files", channel, quality, hour, query="?tombstones=true")
        return in_thread(parse_listing, hour, names)

    def extras(self, folder: str) -> list[str]:
        """Paths below a folder of extras; those that are not safe are left out."""
        return sorted({path for path in self._names("extras", folder) if is_safe_path(path)})

    @contextmanager
    def open(self, *parts: str, deadline_seconds: float) -> Iterator[Response]:
        """A file of the store, named by the components of its path."""
        url = self._url("segments", *parts)
        with self._http.get(url, deadline_seconds=deadline_seconds) as response:
            yield response

    def _names(self, *parts: str, query: str = "") -> list[str]:
        url = self._url(*parts) + query
        with self._http.get(url, deadline_seconds=self._answer_seconds) as response:
            body = response.read(_LISTING_BYTES)
        try:
            value: Any = in_thread(json.loads, body)
        except (ValueError, RecursionError) as exc:
            raise BadAnswer(url, "it is no JSON") from exc
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise BadAnswer(url, "it is no array of names")
        if len(value) > _MOST_NAMES:
            raise BadAnswer(url, f"it has more than {_MOST_NAMES} names")
        return value

    def _url(self, *parts: str) -> str:
        path = "/".join(quote(part, safe=":@+=/") for part in parts)
        return f"{self.node.url}/{path}"


def _is_hour(name: str) -> bool:
    try:
        parse_hour(name)
    except ValueError:
        return False
    return True
