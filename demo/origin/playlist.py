"""The origin's playlists: RFC 8216, with the tags and names that Twitch uses."""

from collections.abc import Iterator, Sequence

from common.times import SECOND, Micros, format_time
from demo.origin.broadcast import Advertisement, Entry, State
from demo.origin.encoder import RENDITIONS, Rendition

CONTENT_TYPE = "application/vnd.apple.mpegurl"

_AUDIO_CODEC = "mp4a.40.2"


def master_playlist(query: str) -> str:
    """Every quality. `query` (empty, or `?token=...`) goes to the end of each URL."""
    lines = ["#EXTM3U"]
    for rendition in RENDITIONS:
        group, name, default = _names(rendition)
        codecs = f"{_video_codec(rendition)},{_AUDIO_CODEC}"
        size = f"{rendition.width}x{rendition.height}"
        rate = f"{60 / rendition.every:.3f}"
        media = f'TYPE=VIDEO,GROUP-ID="{group}",NAME="{name}",AUTOSELECT=YES,DEFAULT={default}'
        stream = (
            f'BANDWIDTH={rendition.bandwidth},RESOLUTION={size},CODECS="{codecs}",'
            f'VIDEO="{group}",FRAME-RATE={rate}'
        )
        lines += [f"#EXT-X-MEDIA:{media}", f"#EXT-X-STREAM-INF:{stream}"]
        lines.append(f"media/{rendition.name}.m3u8{query}")
    return "\n".join(lines) + "\n"


def media_playlist(
    quality: str, entries: Sequence[Entry], state: State, query: str, *, ended: bool
) -> str:
    """The window `entries` of one quality; `ended` is what `Broadcast.says_end` says."""
    first = entries[0] if entries else None
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{6 if state.map else 3}",
        f"#EXT-X-TARGETDURATION:{state.target_seconds}",
        f"#EXT-X-MEDIA-SEQUENCE:{first.sequence if first else 0}",
    ]
    if first and first.discontinuities:
        lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{first.discontinuities - first.discontinuity}")
    lines += _date_ranges(entries)
    if state.map:
        lines.append(f'#EXT-X-MAP:URI="../segments/{quality}/init.ts{query}"')
    for entry in entries:
        lines += _segment(quality, entry, query)
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def _segment(quality: str, entry: Entry, query: str) -> Iterator[str]:
    if entry.discontinuity:
        yield "#EXT-X-DISCONTINUITY"
    if entry.program_date_time is not None:
        yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(entry.program_date_time)}"
    ad = entry.advertisement
    title = f"Amazon|{ad.id}" if ad and "title" in ad.marks else "live"
    yield f"#EXTINF:{entry.offer.duration / SECOND:.3f},{title}"
    yield f"../segments/{quality}/{entry.offer.index:06d}.ts{query}"


def _date_ranges(entries: Sequence[Entry]) -> Iterator[str]:
    shown: list[Advertisement] = []
    for entry in entries:
        ad = entry.advertisement
        if ad is None or ad in shown or not ad.marks & {"class", "id"}:
            continue
        shown.append(ad)
        prefix = "stitched-ad" if "id" in ad.marks else "break"
        mark = ',CLASS="twitch-stitched-ad"' if "class" in ad.marks else ""
        yield (
            f'#EXT-X-DATERANGE:ID="{prefix}-{ad.id}"{mark},START-DATE="{_date(ad.start)}",'
            f"DURATION={ad.duration / SECOND:.3f}"
        )


def _names(rendition: Rendition) -> tuple[str, str, str]:
    """Group, name and default, as Twitch calls them: its source group is `chunked`."""
    if rendition is RENDITIONS[0]:
        return "chunked", f"{rendition.height}p60 (source)", "YES"
    return rendition.name, f"{rendition.height}p", "NO"


def _video_codec(rendition: Rendition) -> str:
    """RFC 6381: High profile without constraints, then ten times the level in hexadecimal."""
    return f"avc1.6400{round(float(rendition.level) * 10):02X}"


def _date(micros: Micros) -> str:
    """Milliseconds, as Twitch writes them."""
    return format_time(micros)[:-3] + "Z"
