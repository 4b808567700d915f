"""Grafana's dashboards: writes grafana/dashboards/*.json.

    python -m monitoring.dashboards

A test holds the files against this. Times of `$__rate_interval` are Grafana's: four scrapes, or a
pixel of the graph.
"""

import json
from pathlib import Path

from monitoring.panels import (
    PLAIN,
    Json,
    Thresholds,
    dashboard,
    series,
    stat,
    states,
    table,
    variable,
)

FOLDER = Path(__file__).parent / "grafana" / "dashboards"

_HERE = 'node=~"$node"'
_QUALITY = f'{_HERE}, channel=~"$channel"'
_NEWEST = "wubloader_downloader_newest_segment_timestamp_seconds"
_ANY = Thresholds(warn=1, bad=1)
_SOON_LATE = Thresholds(warn=20, bad=30)

_NODE = variable("node", "up", 'node!=""')
_CHANNEL = variable("channel", "wubloader_downloader_expected_live")


def _rate(metric: str, *labels: str, matching: str = _HERE) -> str:
    return f"sum by ({', '.join(labels)}) (rate({metric}{{{matching}}}[$__rate_interval]))"


def _quantile(share: float, metric: str, *labels: str, matching: str = _HERE) -> str:
    buckets = _rate(f"{metric}_bucket", *labels, "le", matching=matching)
    return f"histogram_quantile({share}, {buckets})"


_OVERVIEW = [
    stat(
        "Critical alerts",
        'count(ALERTS{alertstate="firing", severity="critical"}) or vector(0)',
        "Something is being lost, or nobody can work. The table below names them.",
        thresholds=_ANY,
    ),
    stat(
        "Warnings",
        'count(ALERTS{alertstate="firing", severity="warning"}) or vector(0)',
        "What wants to be looked at today.",
        thresholds=Thresholds(warn=1, bad=1000),
    ),
    stat(
        "Newest segment is old",
        f"time() - max by (channel) ({_NEWEST})",
        "Since the end of the newest whole segment, on the node that is furthest. It grows while"
        " a channel is off the air.",
        unit="s",
        legend="{{channel}}",
        thresholds=_SOON_LATE,
    ),
    stat(
        "Nodes that record",
        f"count by (channel) (time() - max by (node, channel) ({_NEWEST}) < 30)",
        "Nodes that have stored a segment of the last half minute. One more than needed is what"
        " makes losing a node harmless.",
        legend="{{channel}}",
        thresholds=Thresholds(warn=2, bad=1, falling=True),
    ),
    stat(
        "Lost for good",
        "min by (channel) (wubloader_segment_coverage_lost_seconds)",
        "Of the window that segment_coverage looks at: what no node has, times off the air and"
        " advertisements included. Its page shows where and why.",
        unit="s",
        legend="{{channel}}",
        thresholds=Thresholds(warn=1, bad=60),
    ),
    stat(
        "Disk free, least",
        "min by (node) (wubloader_store_free_bytes / wubloader_store_size_bytes)",
        "Of the store's disk, on each node.",
        unit="percentunit",
        legend="{{node}}",
        thresholds=Thresholds(warn=0.15, bad=0.05, falling=True),
    ),
    table(
        "Alerts that fire",
        'ALERTS{alertstate="firing", alertname!="Watchdog"}',
        "docs/MONITORING.md says what to do about each.",
    ),
    states(
        "Services",
        {f"up{{{_HERE}}}": "{{node}} {{job}}"},
        "Whether each service answers.",
        {"0": ("down", "red"), "1": ("up", "green")},
    ),
    series(
        "Age of the newest segment",
        {f"time() - {_NEWEST}{{{_HERE}}}": "{{node}} {{channel}}/{{quality}}"},
        "A line that climbs is a recording that stands still.",
        unit="s",
        thresholds=_SOON_LATE,
    ),
    series(
        "Missing segments",
        {
            f"sum by (node, peer) (wubloader_backfiller_missing_segments{{{_HERE}}})": (
                "{{node}} from {{peer}}"
            )
        },
        "What another node has and this one lacks. Falls to 0 by itself.",
    ),
    series(
        "Events that wait",
        {'max by (state) (wubloader_thrimshim_events{state!~"UNEDITED|DONE"})': "{{state}}"},
        "Edited, and not yet a video.",
        stacked=True,
    ),
]


_RECORDED = "{{node}} {{channel}}/{{quality}}"
_BY = ("node", "channel", "quality")
_RECORDING = [
    states(
        "On the air",
        {f"wubloader_downloader_live{{{_QUALITY}}}": _RECORDED},
        "Whether the downloader finds the stream.",
        {"0": ("off the air", "orange"), "1": ("live", "green")},
    ),
    series(
        "Age of the newest segment",
        {f"time() - {_NEWEST}{{{_QUALITY}}}": _RECORDED},
        "How far behind now each recording is; the origin's own delay is part of it.",
        unit="s",
        width=12,
        thresholds=_SOON_LATE,
    ),
    series(
        "Segments",
        {
            _rate("wubloader_downloader_segments_total", *_BY, "type", matching=_QUALITY): (
                f"{_RECORDED} {{{{type}}}}"
            )
        },
        "Stored each second, by type; all but full is doubtful.",
        unit="ops",
    ),
    series(
        "Gaps",
        {
            "sum by (node, channel, quality, reason) (increase("
            f"wubloader_downloader_gap_seconds_total{{{_QUALITY}}}[$__rate_interval])) > 0": (
                f"{_RECORDED} {{{{reason}}}}"
            )
        },
        "Time that could not be recorded, with the reason. Advertisements are not the stream.",
        unit="s",
    ),
    series(
        "Doubtful",
        {
            "sum by (node, channel, quality) (increase("
            f'wubloader_downloader_segments_total{{{_QUALITY}, type!="full"}}[15m]))'
            " / sum by (node, channel, quality) (increase("
            f"wubloader_downloader_segments_total{{{_QUALITY}}}[15m]))": _RECORDED
        },
        "The share of suspect and partial segments in a quarter of an hour.",
        unit="percentunit",
        thresholds=Thresholds(warn=0.02, bad=0.1),
    ),
    series(
        "From listed to stored",
        {
            _quantile(
                share,
                "wubloader_downloader_listed_to_stored_seconds",
                "node",
                matching=_QUALITY,
            ): f"{{{{node}}}} {label}"
            for share, label in ((0.5, "half"), (0.95, "95 %"))
        },
        "From the look at the playlist that showed a segment to its file on the disk.",
        unit="s",
        thresholds=Thresholds(warn=3, bad=5),
    ),
    series(
        "Bytes",
        {_rate("wubloader_downloader_stored_bytes_total", *_BY, matching=_QUALITY): _RECORDED},
        "Stored each second.",
        unit="Bps",
    ),
    series(
        "Workers",
        {f"wubloader_downloader_workers{{{_QUALITY}}}": _RECORDED},
        "Workers that poll a playlist; two for a while when an address is renewed.",
    ),
    series(
        "Looks at playlists",
        {
            _rate("wubloader_downloader_polls_total", "node", "outcome", matching=_QUALITY): (
                "{{node}} {{outcome}}"
            )
        },
        "By outcome. unchanged is normal; errors are not.",
        unit="ops",
    ),
    series(
        "Transfers tried again",
        {_rate("wubloader_downloader_retries_total", *_BY, matching=_QUALITY): _RECORDED},
        "Each second. None of it is lost yet.",
        unit="ops",
    ),
    series(
        "Answers of the origin",
        {
            _rate(
                "wubloader_http_client_requests_total",
                "node",
                "status",
                matching=f'{_HERE}, job="downloader"',
            ): "{{node}} {{status}}"
        },
        "By status; 'error' where there was none. 401 and 403 in numbers: it refuses us.",
        unit="ops",
    ),
    series(
        "Room on the disk",
        {f"min by (node) (wubloader_store_free_bytes{{{_HERE}}})": "{{node}}"},
        "What the store's disk can still take.",
        unit="bytes",
    ),
    series(
        "What is there of the last three hours",
        {
            "sum by (node, channel, quality, state) ("
            f'wubloader_segment_coverage_recent_state_seconds{{{_QUALITY}, state!="full"}}) > 0': (
                f"{_RECORDED} {{{{state}}}}"
            )
        },
        "All but full. elsewhere: another node has it; missing: no node that was asked has it.",
        unit="s",
        width=12,
    ),
    series(
        "Lost for good",
        {f"wubloader_segment_coverage_lost_seconds{{{_QUALITY}}}": _RECORDED},
        "What no node has, in the window that segment_coverage looks at.",
        unit="s",
        width=12,
    ),
]


_PAIR = "{{node}} from {{peer}}"
_LOOK = f"{_PAIR} {{{{channel}}}}/{{{{quality}}}}"
_REPLICATION = [
    stat(
        "Missing segments",
        f"sum by (node) (wubloader_backfiller_missing_segments{{{_HERE}}})",
        "What other nodes have and this one lacks.",
        legend="{{node}}",
        width=6,
        thresholds=Thresholds(warn=1, bad=1000),
    ),
    stat(
        "Longest incomplete",
        f"max by (node) (time() - wubloader_backfiller_complete_timestamp_seconds{{{_HERE}}})",
        "Since this node last had all that another has.",
        unit="s",
        legend="{{node}}",
        width=6,
        thresholds=Thresholds(warn=300, bad=600),
    ),
    stat(
        "Tombstones known",
        f"min by (node) (wubloader_backfiller_tombstones_complete{{{_HERE}}})",
        "1 once those of all nodes that answer were taken: before that the node is not ready.",
        legend="{{node}}",
        width=6,
        thresholds=Thresholds(warn=1, bad=1, falling=True),
    ),
    stat(
        "Damaged files, 30 days",
        f"sum by (node) (increase(wubloader_backfiller_damaged_files_total{{{_HERE}}}[30d]))",
        "Files that did not match their hashes. They are fetched again; the disk is suspect.",
        legend="{{node}}",
        width=6,
        thresholds=_ANY,
    ),
    series(
        "Missing segments",
        {f"wubloader_backfiller_missing_segments{{{_HERE}}}": _LOOK},
        "By the node that has them.",
    ),
    series(
        "Time to completion",
        {f"wubloader_backfiller_expected_completion_seconds{{{_HERE}}}": _LOOK},
        "At the rate of the last looks.",
        unit="s",
    ),
    series(
        "Differing hours",
        {f"wubloader_backfiller_differing_hours{{{_HERE}}}": _LOOK},
        "Hours of which the two do not list the same. The hour being recorded often differs.",
    ),
    series(
        "Received",
        {_rate("wubloader_backfiller_received_bytes_total", "node", "peer"): _PAIR},
        "Bytes of files each second.",
        unit="Bps",
        stacked=True,
    ),
    series(
        "Taken over",
        {
            _rate("wubloader_backfiller_copied_total", "node", "kind"): "{{node}} {{kind}}",
        },
        "renamed: the bytes were here under another name.",
        unit="ops",
    ),
    series(
        "Failures",
        {
            _rate("wubloader_backfiller_failures_total", "node", "peer", "reason") + " > 0": (
                f"{_PAIR} {{{{reason}}}}"
            )
        },
        "All are tried again later. hash: what came is not what its name says.",
        unit="ops",
    ),
    series(
        "Looks",
        {
            _rate("wubloader_backfiller_looks_total", "node", "peer", "outcome"): (
                f"{_PAIR} {{{{outcome}}}}"
            )
        },
        "At what a node has. unchanged costs one request.",
        unit="ops",
    ),
    series(
        "Checked against hashes",
        {_rate("wubloader_backfiller_scrubbed_bytes_total", "node"): "{{node}}"},
        "Bytes of old files each second.",
        unit="Bps",
    ),
    series(
        "Room on the disk",
        {f"min by (node) (wubloader_store_free_bytes{{{_HERE}}})": "{{node}}"},
        "What the store's disk can still take.",
        unit="bytes",
    ),
]


_VIEWS = f'{_HERE}, job=~"restreamer|thrimshim"'
_CUTTING = [
    stat(
        "Events that wait",
        'max(wubloader_thrimshim_events{state="EDITED"})',
        "Edited, and no cutter has taken them yet.",
        width=6,
        thresholds=Thresholds(warn=3, bad=20),
    ),
    stat(
        "Longest wait",
        "max(wubloader_thrimshim_longest_wait_seconds)",
        "Since the edit of the event that has waited longest for its video.",
        unit="s",
        width=6,
        thresholds=Thresholds(warn=900, bad=3600),
    ),
    stat(
        "Cutters at work",
        f"sum(wubloader_cutter_cutting{{{_HERE}}})",
        "Cutters that cut an event now.",
        width=6,
        thresholds=PLAIN,
    ),
    stat(
        "Given back, 24 h",
        f'sum(increase(wubloader_cutter_jobs_total{{{_HERE}, outcome="UNEDITED"}}[24h]))',
        "Events that could not be cut as edited, or that the upload location refused.",
        width=6,
        thresholds=Thresholds(warn=1, bad=10),
    ),
    series(
        "Events",
        {'max by (state) (wubloader_thrimshim_events{state!="DONE"})': "{{state}}"},
        "By state, without those that are done.",
        stacked=True,
    ),
    series(
        "Longest wait",
        {"max by (state) (wubloader_thrimshim_longest_wait_seconds)": "{{state}}"},
        "Since the edit, by the state that the event waits in.",
        unit="s",
        thresholds=Thresholds(warn=1800, bad=3600),
    ),
    series(
        "From claim to published",
        {
            _quantile(share, "wubloader_cutter_job_seconds", "node"): f"{{{{node}}}} {label}"
            for share, label in ((0.5, "half"), (0.95, "95 %"))
        },
        "How long a cutter has an event.",
        unit="s",
    ),
    series(
        "Cuts ended",
        {
            f"sum by (node, outcome) (increase(wubloader_cutter_jobs_total{{{_HERE}}}[1h])) > 0": (
                "{{node}} {{outcome}}"
            )
        },
        "In an hour, by the event's next state; lost: the lease was gone.",
    ),
    series(
        "Failures",
        {
            "sum by (node, failure) (increase("
            f"wubloader_cutter_failures_total{{{_HERE}}}[1h])) > 0": "{{node}} {{failure}}"
        },
        "In an hour, by kind. missing_here and node are tried again by themselves.",
    ),
    series(
        "Missing segments",
        {f"wubloader_cutter_events_missing_segments{{{_HERE}}}": "{{node}}"},
        "Events that the node cannot cut because it lacks some of the recording.",
    ),
    series(
        "Cuts being sent",
        {
            f"sum by (node, type) (wubloader_restreamer_cuts_running{{{_HERE}}})": (
                "{{node}} {{type}}"
            )
        },
        "By the restreamer, to whoever asked.",
        stacked=True,
    ),
    series(
        "Sent",
        {
            _rate("wubloader_restreamer_cut_bytes_total", "node", "type"): "{{node}} {{type}}",
            _rate("wubloader_cutter_published_bytes_total", "node"): "{{node}} published",
        },
        "Bytes of cuts each second, and of published videos.",
        unit="Bps",
    ),
    series(
        "Encoding processes",
        {
            _rate("wubloader_encoder_jobs_total", "node", "job", "outcome"): (
                "{{node}} {{job}} {{outcome}}"
            )
        },
        "Jobs each second by outcome. broken: the process died.",
        unit="ops",
    ),
    series(
        "Encoded in the middle",
        {_rate("wubloader_smart_fallbacks_total", "node", "reason"): "{{node}} {{reason}}"},
        "Pieces of smart cuts that could not be copied: docs/CUTTING.md says why.",
        unit="ops",
    ),
    series(
        "Time to answer",
        {
            _quantile(0.95, "wubloader_http_request_seconds", "job", "view", matching=_VIEWS): (
                "{{job}} {{view}}"
            )
        },
        "95 % of the requests had their headers by then.",
        unit="s",
    ),
    series(
        "Answers",
        {
            _rate("wubloader_http_requests_total", "job", "status", matching=_VIEWS): (
                "{{job}} {{status}}"
            )
        },
        "Requests each second, by status.",
        unit="reqps",
    ),
    series(
        "Transactions",
        {_rate("wubloader_database_transactions_total", "job", "outcome"): ("{{job}} {{outcome}}")},
        "Of the database, each second. unavailable: it did not answer.",
        unit="ops",
    ),
    series(
        "Safety of the database",
        {
            "max(wubloader_thrimshim_database_standbys)": "standbys",
            "max(wubloader_thrimshim_database_standbys_away)": "standbys that do not follow",
            "max(wubloader_thrimshim_database_synchronous)": "commits wait for one",
            "max(wubloader_thrimshim_database_archive_failing)": "WAL is not archived",
        },
        "Where commits wait for a standby there must be one. WAL that waits fills the disk.",
    ),
    series(
        "Memory",
        {f"process_resident_memory_bytes{{{_HERE}}}": "{{node}} {{job}}"},
        "Of each service, without its encoding processes.",
        unit="bytes",
    ),
]


def dashboards() -> dict[str, Json]:
    """All of them, by the name of their file."""
    return {
        "overview": dashboard(
            "overview", "Overview", "Is anything being lost?", _OVERVIEW, [_NODE]
        ),
        "recording": dashboard(
            "recording",
            "Recording",
            "What the downloaders bring, and what they could not.",
            _RECORDING,
            [_NODE, _CHANNEL],
        ),
        "replication": dashboard(
            "replication", "Replication", "Whether nodes become equal.", _REPLICATION, [_NODE]
        ),
        "cutting": dashboard(
            "cutting", "Cutting", "From an edit to a video; cuts on demand.", _CUTTING, [_NODE]
        ),
    }


def text_of(document: Json) -> str:
    return json.dumps(document, indent=1) + "\n"


if __name__ == "__main__":
    for name, document in dashboards().items():
        (FOLDER / f"{name}.json").write_text(text_of(document))
