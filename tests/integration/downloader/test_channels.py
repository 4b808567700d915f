"""Several channels and qualities in one process, how qualities are named, and what is needed."""

from contextlib import suppress
from pathlib import Path

from tests.integration.downloader.conftest import Record
from tests.support.origin import Origin, stepped_origin
from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until


def test_several_channels_and_qualities_are_recorded_by_one_process(
    origin: Origin, record: Record
) -> None:
    with stepped_origin(media="short") as other:
        recording = record(
            *("--qualities", "source,360p30"),
            *(f"one:url:{origin.master_url}", f"two!:url:{other.master_url}"),
            url=None,
        )
        other.change(target_seconds=600)
        for each in (origin, other):
            each.advance(6)
        for channel, each in (("one", origin), ("two", other)):
            for quality in ("source", "360p30"):
                recording.wait_for(each.listed_hashes(quality), quality, channel)
                labels = {"channel": channel, "quality": quality}
                recording.wait_for_metric(3, "segments_total", type="full", **labels)
        assert recording.metric("expected_live", channel="one") == 0
        assert recording.metric("expected_live", channel="two") == 1


def test_a_channel_that_cannot_be_had_holds_up_no_other(origin: Origin, record: Record) -> None:
    origin.advance(6)
    recording = record("dead:url:http://127.0.0.1:9/master.m3u8")
    recording.wait_for(origin.listed_hashes())
    recording.wait_for_metric(1, "live", channel="demo")
    assert recording.metric("live", channel="dead") == 0


def test_qualities_go_by_each_of_their_names(origin: Origin, record: Record) -> None:
    names = {"source": "source", "chunked": "source", "720p60": "source", "360P": "360p30"}
    origin.advance(4)
    recording = record("--qualities", ",".join(names))
    for name, quality in names.items():
        recording.wait_for(origin.listed_hashes(quality), name)


def test_a_media_playlist_is_its_own_source(origin: Origin, record: Record) -> None:
    origin.advance(4)
    recording = record(url=origin.media_url("360p30"))
    recording.wait_for(origin.listed_hashes("360p30"))


def test_of_an_unknown_quality_the_log_says_once_what_there_is_and_it_is_looked_for_again(
    origin: Origin, record: Record
) -> None:
    origin.advance(4)
    recording = record("--qualities", "1080p60,source")
    recording.wait_for(origin.listed_hashes())
    complaint = "cannot record demo/1080p60: there is no such quality; there are 360p, 360p30, 720p"
    wait_until(lambda: complaint in recording.process.output, "it is complained of")
    looks = origin.request_counts()["/master.m3u8"]
    # Two more: of the one before the last it is known what became of it.
    wait_until(
        lambda: origin.request_counts()["/master.m3u8"] > looks + 1,
        "the playlist is asked for again and again",
    )
    assert recording.process.output.count(complaint) == 1
    assert recording.metric("live", quality="1080p60") == 0
    assert recording.paths("1080p60") == []


def test_recording_needs_the_disk_and_the_origin_and_nothing_else(
    origin: Origin, record: Record
) -> None:
    """It talks to nobody else: whatever else of the node is down, it does not notice."""
    origin.advance(4)
    recording = record()
    recording.wait_for(origin.listed_hashes())
    peers = wait_until(lambda: ports_of_peers(recording.process), "it is connected to somebody")
    assert peers == {int(origin.url.rpartition(":")[2])}
    mapped = Path(f"/proc/{recording.process.pid}/maps").read_text()
    assert "gevent" in mapped
    assert "psycopg2" not in mapped


def ports_of_peers(process: ServiceProcess) -> set[int]:
    """Where the process has connected to, as the kernel tells (see `man 5 proc_pid_net`)."""
    folder = Path(f"/proc/{process.pid}")
    files = []
    for link in (folder / "fd").iterdir():
        with suppress(FileNotFoundError):  # it may close any of them meanwhile
            files.append(link.readlink().name)
    own = int(process.url.rpartition(":")[2])
    ports = set()
    for line in (folder / "net" / "tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote = (int(fields[column].rpartition(":")[2], 16) for column in (1, 2))
        if f"socket:[{fields[9]}]" in files and local != own:
            ports.add(remote)
    return ports
