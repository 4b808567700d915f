"""The coverage page in a real browser: what it shows, that it keeps up, and that it plays."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from common.gaps import Gap, GapReason, format_gap, journal_file
from common.segments.store import SegmentStore
from common.times import SECOND, Micros, format_time, parse_time
from tests.support.browser import new_page, running_browser
from tests.support.live import QUALITY, Recording
from tests.support.processes import ServiceProcess

MARKUP = "<img src=x onerror=\"document.title='hacked'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


def lose_a_segment(base_dir: Path) -> Micros:
    """Delete the sixth segment, with a line in the journal; its start."""
    store = SegmentStore(base_dir)
    hours = store.hours("demo", QUALITY)
    segment = [one for hour in hours for one in store.hour("demo", QUALITY, hour).segments][5]
    store.path("demo", QUALITY, segment).unlink()
    journal = journal_file(base_dir, "demo", QUALITY)
    journal.parent.mkdir(parents=True)
    gap = Gap(start=segment.start, end=segment.end, reason=GapReason.ADVERTISEMENT)
    journal.write_text(format_gap(gap, detail=MARKUP, sequence=5, noted=segment.end) + "\n")
    return segment.start


def place_of(page: Page, moment: Micros) -> tuple[float, float]:
    """Where in the window a moment of the map is."""
    found = page.evaluate("qualities[0].report.map")
    seconds = (moment - parse_time(found["start"])) / SECOND
    column, within = divmod(seconds, found["column_seconds"])
    box = page.locator("canvas").bounding_box()
    assert box is not None
    x = found["left"] + (column + 0.5) * found["column_pixels"]
    return box["x"] + x, box["y"] + found["top"] + within // found["pixel_seconds"] + 0.5


def test_the_page_shows_what_is_lost_and_plays_what_is_there(
    browser: Browser, tmp_path: Path
) -> None:
    complaints: list[str] = []
    options = ("--check-interval", "0.5", "--recent-cutoff", "0", "--qualities", QUALITY)
    with (
        Recording(tmp_path) as recording,
        ServiceProcess("restreamer", "--base-dir", str(tmp_path)) as restreamer,
        ServiceProcess(
            "segment_coverage", "demo", "--base-dir", str(tmp_path), *options
        ) as service,
        new_page(browser, viewport={"width": 1200, "height": 1000}) as page,
    ):
        lost = lose_a_segment(tmp_path)
        service.wait_ready()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{restreamer.wait_ready().url}/segments/coverage-maps/demo_coverage.html")
        expect(page).to_have_title("Coverage: demo")
        expect(page.locator(".badge")).to_have_text("incomplete")
        row = page.locator(".lost tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("an advertisement was shown")
        readout = page.locator(".readout")
        page.mouse.move(*place_of(page, lost + SECOND))
        expect(readout).to_contain_text("missing")
        expect(readout).to_contain_text("an advertisement was shown")
        page.mouse.move(*place_of(page, lost - 3 * SECOND))
        expect(readout).to_contain_text("full")
        expect(readout).to_contain_text(format_time(lost - 3 * SECOND)[:10])
        # It keeps up without being told.
        newest = page.evaluate("qualities[0].report.newest")
        page.wait_for_function("newest => qualities[0].report.newest > newest", arg=newest)
        page.mouse.click(*place_of(page, recording.start + 3 * SECOND))
        expect(page.locator("#watch-title")).to_contain_text(QUALITY)
        page.wait_for_function("document.querySelector('video').currentTime > 0")
        cut = page.locator("#watch-cut").get_attribute("href")
        assert cut is not None
        assert page.request.get(page.evaluate("href => new URL(href, location).href", cut)).ok
        page.locator("canvas").focus()
        page.keyboard.press("ArrowDown")
        before = page.evaluate("qualities[0].at")
        page.keyboard.press("ArrowDown")
        assert page.evaluate("qualities[0].at") - before == 2000
        assert complaints == []
