"""What the restreamer measures about itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from common.media.request import CutType


class RestreamerMetrics:
    """Labels: `type` is a cut's type, or frame, thumbnail, waveform; `result` one of complete,
    failed, abandoned.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.cuts_running = Gauge(
            "wubloader_restreamer_cuts_running", "Cuts being sent now.", ["type"], registry=registry
        )
        self.cuts = Counter(
            "wubloader_restreamer_cuts_total",
            "Cuts that ended: complete, failed on our side, or abandoned by the client.",
            ["type", "result"],
            registry=registry,
        )
        # Of a counter that begins at 1 nobody sees that it has risen.
        for kind in CutType:
            self.cuts.labels(kind.value, "failed")
        self.cut_bytes = Counter(
            "wubloader_restreamer_cut_bytes_total",
            "Bytes of cuts sent.",
            ["type"],
            registry=registry,
        )
        self.refused = Counter(
            "wubloader_restreamer_refused_total",
            "Requests answered 503 because too many expensive ones were running.",
            registry=registry,
        )
        self.left_out = Counter(
            "wubloader_restreamer_segments_left_out_total",
            "Times that a playlist was built without a segment longer than its target duration.",
            registry=registry,
        )
