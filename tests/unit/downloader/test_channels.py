"""What the command line says of channels."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.segments.path import is_component
from downloader.channels import Channel, ProviderType, parse_channel

HLS = "https://host:8443/live/index.m3u8?a=b:c"


@pytest.mark.parametrize(
    ("text", "name", "always_live", "provider", "url"),
    [
        ("demo", "demo", False, ProviderType.TWITCH, "https://www.twitch.tv/demo"),
        ("demo!", "demo", True, ProviderType.TWITCH, "https://www.twitch.tv/demo"),
        ("de.mo-1", "de.mo-1", False, ProviderType.TWITCH, "https://www.twitch.tv/de.mo-1"),
        (f"demo:url:{HLS}", "demo", False, ProviderType.URL, HLS),
        (f"demo!:url:{HLS}", "demo", True, ProviderType.URL, HLS),
        ("demo:url:HTTP://h/x", "demo", False, ProviderType.URL, "HTTP://h/x"),
        ("demo:youtube:https://y/watch", "demo", False, ProviderType.YOUTUBE, "https://y/watch"),
        ("demo!:streamlink:hls://h/x", "demo", True, ProviderType.STREAMLINK, "hls://h/x"),
        ("demo:twitch:twitch.tv/other", "demo", False, ProviderType.TWITCH, "twitch.tv/other"),
    ],
)
def test_a_channel_has_a_name_a_mark_a_type_and_an_address(
    text: str, name: str, always_live: bool, provider: ProviderType, url: str
) -> None:
    expected = Channel(name=name, always_live=always_live, provider=provider, url=url)
    assert parse_channel(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cannot be the name of a channel"),
        ("!", "cannot be the name of a channel"),
        ("a!!", "cannot be the name of a channel"),
        ("../demo", "'../demo' cannot be the name of a channel"),
        (".gaps", "cannot be the name of a channel"),
        ("de mo", "cannot be the name of a channel"),
        ("x" * 200, "cannot be the name of a channel"),
        (":url:http://h/x", "'' cannot be the name of a channel"),
        ("demo:", "'' is no type of channel; there are twitch, url, youtube, streamlink"),
        ("demo:rtmp:rtmp://h/x", "'rtmp' is no type of channel"),
        ("demo:https://h/x.m3u8", "'https' is no type of channel"),
        ("demo:url", "has a type but no address: write demo:url:https://..."),
        ("demo:youtube:", "has a type but no address"),
        ("demo:url:index.m3u8", "'index.m3u8' is no address of a playlist"),
        ("demo:url:file:///etc/passwd", "is no address of a playlist"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse_channel(text)


@given(st.text(alphabet="ab!:./ -\nurltwich") | st.text())
def test_whatever_is_given_the_name_fits_a_folder_or_it_is_refused(text: str) -> None:
    try:
        channel = parse_channel(text)
    except ValueError:
        return
    assert is_component(channel.name)
    assert channel.url
