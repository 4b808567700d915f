"""What the processes that find streams have in common: `python -m downloader.providers.ask_... URL`
prints where the stream is, as one JSON object.

    {"master": "https://..."}                                      the master playlist
    {"variants": [{"url": ..., "names": [...], "bandwidth": 0}]}   media playlists
    {"error": "...", "offline": true}                              off the air, or asking failed

They run unpatched by gevent, and each has a process of its own: streamlink and yt-dlp both replace
parts of urllib3, and where both are imported, streamlink can ask no host by its name.
"""

import argparse
import json
import os
import signal
from collections.abc import Callable
from typing import Any, TextIO

Answer = dict[str, Any]


def new_parser() -> argparse.ArgumentParser:
    """The arguments that all of them take."""
    parser = argparse.ArgumentParser(description="Where a stream is, as JSON.")
    parser.add_argument("url")
    parser.add_argument("--limit-seconds", type=float, default=60, help="End by SIGALRM then.")
    return parser


def answer(parser: argparse.ArgumentParser, find: Callable[[argparse.Namespace], Answer]) -> int:
    """Print what `find` returns; the exit status."""
    arguments = parser.parse_args()
    signal.setitimer(signal.ITIMER_REAL, arguments.limit_seconds)
    with _answer_alone() as output:
        output.write(json.dumps(find(arguments)) + "\n")
    return 0


def _answer_alone() -> TextIO:
    """Standard output. Whatever else the tools print, or programs that they start, goes to standard
    error from now on.
    """
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return output
