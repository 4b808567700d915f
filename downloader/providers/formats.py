"""What yt-dlp says of a stream, as our answer. Pure; see `downloader.providers.tool`."""

from downloader.providers.tool import Answer

_HLS_PROTOCOLS = {"m3u8", "m3u8_native"}
_NOT_LIVE = {"is_upcoming", "post_live", "was_live", "not_live"}


def answer_of_info(info: Answer, url: str) -> Answer:
    """yt-dlp's whole result as our answer. The recording of one that is over is not live."""
    if info.get("live_status") in _NOT_LIVE:
        return {"error": f"{url} is not live", "offline": True}
    return variants_of_formats(info.get("formats") or [], url)


def variants_of_formats(formats: list[Answer], url: str) -> Answer:
    """yt-dlp's list of formats, which ends with the best, as our answer, which begins with it: if
    no bandwidth is known, the first is `source`.
    """
    hls = [entry for entry in formats if entry.get("protocol") in _HLS_PROTOCOLS]
    muxed = [entry for entry in hls if "none" not in (entry.get("acodec"), entry.get("vcodec"))]
    if not muxed:
        return {"error": f"{url} has no HLS stream with picture and sound", "offline": not hls}
    return {
        "variants": [
            {
                "url": entry["url"],
                "names": _names(entry),
                "bandwidth": round(float(entry.get("tbr") or 0) * 1000),
            }
            for entry in reversed(muxed)
        ]
    }


def _names(entry: Answer) -> list[str]:
    names = [str(entry["format_id"])] if entry.get("format_id") else []
    if entry.get("height"):
        names.append(f"{entry['height']}p")
        if entry.get("fps"):
            names.append(f"{entry['height']}p{round(float(entry['fps']))}")
    return names
