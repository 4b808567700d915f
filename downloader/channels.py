"""`CHANNEL[!][:TYPE:URL]`: what the command line says of a channel. Pure."""

from dataclasses import dataclass
from enum import Enum

from common.segments.path import is_component


class ProviderType(Enum):
    """Who knows where a channel's stream is."""

    TWITCH = "twitch"
    """The channel's name on Twitch; the default."""
    URL = "url"
    """Any HLS playlist."""
    YOUTUBE = "youtube"
    """Whatever yt-dlp can open."""
    STREAMLINK = "streamlink"
    """Whatever streamlink can open."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel to record. `always_live` marks one that should never be off the air."""

    name: str
    always_live: bool
    provider: ProviderType
    url: str


def parse_channel(text: str) -> Channel:
    """Raises ValueError with a sentence for the operator."""
    head, has_type, rest = text.partition(":")
    always_live = head.endswith("!")
    name = head.removesuffix("!")
    if not is_component(name):
        raise ValueError(f"{name!r} cannot be the name of a channel: use letters, digits, _ and -")
    if not has_type:
        url = f"https://www.twitch.tv/{name}"
        return Channel(name=name, always_live=always_live, provider=ProviderType.TWITCH, url=url)
    kind, _, url = rest.partition(":")
    known = {provider.value: provider for provider in ProviderType}
    if kind not in known:
        raise ValueError(f"{kind!r} is no type of channel; there are {', '.join(known)}")
    if not url:
        raise ValueError(f"{text!r} has a type but no address: write {name}:{kind}:https://...")
    provider = known[kind]
    if provider is ProviderType.URL and not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address of a playlist: write {name}:url:https://...")
    return Channel(name=name, always_live=always_live, provider=provider, url=url)
