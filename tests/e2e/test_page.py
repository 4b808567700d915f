"""thrimshim's page in a real browser: what it shows, and that it keeps up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from common.times import SECOND, TimeRange
from demo.postgres import Postgres
from tests.support.browser import new_page, running_browser
from tests.support.event_rows import add_edited, run_sql
from tests.support.live import QUALITY, Recording
from tests.support.processes import ServiceProcess
from tests.support.thrimshim import start_thrimshim

LEASE = {
    "uploader": "cutter-1",
    "lease_token": "0a1b2c3d-0000-4000-8000-000000000000",
    "lease_expires": "2099-01-01T00:00:00Z",
}
MARKUP = "<img src=x onerror=\"document.title='hacked'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as opened:
        yield opened


@contextmanager
def serving(dsn: str, base_dir: Path) -> Iterator[str]:
    """A restreamer, and thrimshim with its page; the page's address."""
    with (
        ServiceProcess("restreamer", "--base-dir", str(base_dir)) as restreamer,
        start_thrimshim(
            dsn, "--no-authentication", "--restreamer-url", restreamer.wait_ready().url
        ) as thrimshim,
    ):
        yield thrimshim.wait_ready().url


def card(page: Page, title: str) -> Locator:
    return page.locator("#events > li").filter(has_text=title)


def test_the_page_plays_the_stream_and_its_links_lead_somewhere(
    page: Page, database_dsn: str, tmp_path: Path
) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with Recording(tmp_path), serving(database_dsn, tmp_path) as url:
        page.goto(url)
        expect(page).to_have_title("Wubloader: demo")
        expect(page.locator("#player-state")).to_have_text("Playing live.")
        page.wait_for_function("document.getElementById('player').currentTime > 0")
        expect(page.locator("#events-state")).to_contain_text("No events yet.")
        links = {
            link.inner_text(): str(link.get_attribute("href"))
            for link in page.locator("nav a").all()
        }
        assert set(links) == {"Live playlist", "Recorded files", "API", "Metrics"}
        for target in links.values():
            answer = requests.get(target if "://" in target else url + target, timeout=120)
            assert answer.ok, target
        assert complaints == []


def test_a_moment_is_played_from_its_recording_and_then_the_stream_again(
    page: Page, database_dsn: str, tmp_path: Path
) -> None:
    with Recording(tmp_path) as recording, serving(database_dsn, tmp_path) as url:
        moment = TimeRange(recording.start, recording.start + 6 * SECOND)
        add_edited(database_dsn, "x", moment, video_quality=QUALITY)
        page.goto(url)
        card(page, "Title of x").get_by_text("Play the moment").click()
        expect(page.locator("#player-state")).to_have_text("Playing Title of x.")
        page.wait_for_function("Math.abs(document.getElementById('player').duration - 6) < 0.2")
        page.get_by_text("Back to live").click()
        expect(page.locator("#player-state")).to_have_text("Playing live.")
        expect(page.get_by_text("Back to live")).to_be_hidden()


def test_the_page_shows_each_event_s_progress_error_and_video(
    page: Page, database_dsn: str, tmp_path: Path
) -> None:
    run_sql(
        database_dsn,
        "INSERT INTO events (id, description, event_start, error) VALUES"
        " ('bad', 'A moment', '2026-07-01T12:00:00Z', 'the second range has a hole'),"
        " ('markup', %s, NULL, %s)",
        MARKUP,
        MARKUP,
    )
    add_edited(database_dsn, "busy", state="CLAIMED", **LEASE, frames_done=30, frames_total=120)
    add_edited(database_dsn, "done", state="DONE", video_link="https://example.org/v")
    add_edited(database_dsn, "odd", state="DONE", video_link="javascript:alert(1)")
    add_edited(database_dsn, "kept", state="DONE", video_link="file:///videos/a%20b.mp4")
    with serving(database_dsn, tmp_path) as url:
        page.goto(url)
        expect(page.locator("#events > li")).to_have_count(6)
        bad = card(page, "A moment")
        expect(bad).to_contain_text("2026-07-01, 12:00:00 UTC")
        expect(bad.locator(".state")).to_have_text("UNEDITED")
        expect(bad.locator(".error")).to_have_text("the second range has a hole")
        busy = card(page, "Title of busy")
        expect(busy).to_contain_text("30 of 120 frames")
        assert busy.locator("progress").evaluate("bar => bar.position") == 0.25
        watch = card(page, "Title of done").locator("a")
        expect(watch).to_have_attribute("href", "https://example.org/v")
        expect(card(page, "Title of odd").locator("a")).to_have_count(0)
        expect(card(page, "Title of kept")).to_contain_text("/videos/a b.mp4")
        # What people wrote is shown, not run.
        expect(card(page, "onerror").locator(".error")).to_have_text(MARKUP)
        expect(page.locator("#events img")).to_have_count(0)
        expect(page).to_have_title("Wubloader: demo")


def test_the_page_keeps_up_and_says_what_it_waits_for(
    page: Page, own_postgres: Postgres, tmp_path: Path
) -> None:
    with serving(own_postgres.dsn, tmp_path) as url:
        page.goto(url)
        expect(page.locator("#player-state")).to_contain_text("can't be played right now")
        add_edited(own_postgres.dsn, "x", state="CLAIMED", **LEASE, frames_total=10)
        expect(card(page, "Title of x")).to_contain_text("0 of 10 frames")
        run_sql(own_postgres.dsn, "UPDATE events SET frames_done = 7")
        expect(card(page, "Title of x")).to_contain_text("7 of 10 frames")
        own_postgres.kill()
        state = page.locator("#events-state")
        expect(state).to_contain_text("the database does not answer")
        expect(card(page, "Title of x")).to_contain_text("7 of 10 frames")
        own_postgres.start()
        expect(state).to_have_text("")
