"""A real browser, without a screen, and pages for it that play with hls.js."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.processes import ROOT

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]

_ERRORS = """function hlsErrors(hls, video) {
  const errors = [];
  hls.on(Hls.Events.ERROR, (event, {details, fatal, buffer, error}) => {
    const {BUFFER_SEEK_OVER_HOLE, BUFFER_STALLED_ERROR} = Hls.ErrorDetails;
    // Where frames are decoded out of order the first is shown a little behind 0; when decoding is
    // slow to begin, the player says that it went there.
    const start = details === BUFFER_SEEK_OVER_HOLE && video.currentTime < 0.2;
    // A stall with frames left to show: the busy machine is late, not the stream.
    const late = details === BUFFER_STALLED_ERROR && buffer > 0.1;
    if (fatal || !(start || late)) errors.push(`${details}, ${buffer} s left: ${error}`);
  });
  return errors;
}"""
"""Gives what hls.js finds wrong with a stream, but not what comes from a busy machine."""


_PATIENCE_MS = 120_000
"""What is expected of a page may take a while on a busy machine."""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@contextmanager
def new_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page of the browser, with `options` of `Browser.new_page`."""
    page = browser.new_page(**options)
    page.set_default_timeout(_PATIENCE_MS)
    yield page
    page.close()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def serve_player(folder: Path, script: str) -> Iterator[str]:
    """The address of a page with a `video`, hls.js, `hlsErrors(hls, video)` and `script`.

    What else lies in `folder` is served beside it.
    """
    (folder / "hls.js").write_bytes((ROOT / "node_modules/hls.js/dist/hls.js").read_bytes())
    (folder / "page.js").write_text(f"{_ERRORS}\n{script}")
    (folder / "index.html").write_text(
        '<!doctype html><video id="video" muted></video>'
        '<script src="hls.js"></script><script src="page.js"></script>'
    )
    handler = partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
