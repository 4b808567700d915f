"""thrimshim as a real process over HTTP on a real Postgres."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
import pytest
import requests

from common.media.transitions import DESCRIPTIONS
from demo.postgres import Postgres
from tests.support.processes import run_command
from tests.support.thrimshim import EDIT, RANGE, Api, start_thrimshim
from tests.support.waiting import wait_until


def test_an_event_is_created_edited_and_reset(api: Api) -> None:
    event_id = api.create(description="A fine moment", event_start="2026-07-01T12:00:00Z")
    assert api.event(event_id)["state"] == "UNEDITED"
    answer = api.post(f"/{event_id}", EDIT)
    assert (answer.status_code, answer.text) == (201, "")
    event = api.event(event_id)
    assert event["state"] == "EDITED"
    assert event["video_ranges"] == [RANGE]
    assert event["video_transitions"] == []
    assert event["video_channel"] == "demo"
    assert event["editor"] == "anonymous"
    assert api.post(f"/reset/{event_id}").status_code == 201
    assert api.event(event_id)["state"] == "UNEDITED"
    assert [entry["operation"] for entry in api.get(f"/{event_id}/history").json()] == [
        "INSERT",
        "UPDATE",
        "UPDATE",
    ]


def test_an_id_is_taken_once(api: Api) -> None:
    answer = api.post(body={"id": "mine"})
    assert answer.headers["Location"].endswith("/thrimshim/mine")
    assert api.post(body={"id": "mine"}).status_code == 409


def test_the_list_can_be_filtered_and_is_conditional(api: Api) -> None:
    first, second = api.create(category="a"), api.create(category="b")
    api.post(f"/{second}", EDIT)
    assert {event["id"] for event in api.get().json()} == {first, second}
    assert [event["id"] for event in api.get("?state=EDITED").json()] == [second]
    assert [event["id"] for event in api.get("?category=a").json()] == [first]
    etag = api.get().headers["ETag"]
    assert api.get(headers={"If-None-Match": etag}).status_code == 304
    api.create()
    assert api.get(headers={"If-None-Match": etag}).status_code == 200


def test_defaults_are_also_the_event_s(api: Api) -> None:
    defaults = api.get("/defaults").json()
    assert defaults == {
        "video_channel": "demo",
        "video_quality": "source",
        "bustime_start": "2026-07-01T00:00:00.000000",
        "title_prefix": "",
        "title_max_length": 100,
        "upload_locations": ["local", "youtube"],
    }
    event = api.event(api.create())
    assert {name: event[name] for name in defaults} == defaults
    listed = api.get("/transitions").json()
    assert {"name": "fade", "description": DESCRIPTIONS["fade"]} in listed
    assert [entry["name"] for entry in listed] == list(DESCRIPTIONS)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"state": "EDITED"}, "video_ranges: choose at least one range"),
        ({**EDIT, "video_ranges": [["soon", RANGE[1]]]}, "not an ISO 8601 time"),
        ({**EDIT, "state": "WRONG"}, "state"),
        ({**EDIT, "upload_location": "moon"}, "local, youtube"),
    ],
)
def test_a_bad_edit_is_a_400_that_says_why(api: Api, body: dict[str, Any], reason: str) -> None:
    event_id = api.create()
    answer = api.post(f"/{event_id}", body)
    assert answer.status_code == 400
    assert reason in answer.text
    assert api.event(event_id)["state"] == "UNEDITED"


def test_a_body_that_is_no_json_is_a_400(api: Api) -> None:
    event_id = api.create()
    answer = api.session.post(f"{api.url}/{event_id}", data=b"{not json", timeout=60)
    assert answer.status_code in {400, 415}


def test_an_edit_begun_on_other_given_columns_is_refused_unless_overridden(api: Api) -> None:
    event_id = api.create(notes="now")
    answer = api.post(f"/{event_id}", {**EDIT, "notes": "before"})
    assert answer.status_code == 409
    assert 'notes: was "before", is now "now"' in answer.text
    answer = api.post(f"/{event_id}", {**EDIT, "notes": "before", "override_changes": True})
    assert answer.status_code == 201
    assert api.event(event_id)["notes"] == "now"


def test_of_two_editors_exactly_one_wins(api: Api) -> None:
    event_id = api.create()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda number: (
                    requests.post(
                        f"{api.url}/{event_id}",
                        json={**EDIT, "video_title": str(number)},
                        timeout=60,
                    ).status_code
                ),
                range(8),
            )
        )
    assert sorted(answers) == [201] + [409] * 7


def test_a_draft_is_refused_once_the_edit_is_submitted(api: Api) -> None:
    event_id = api.create()
    assert api.post(f"/{event_id}", {"state": "UNEDITED", "video_title": "x"}).status_code == 201
    assert api.post(f"/{event_id}", {"state": "UNEDITED", "video_title": "y"}).status_code == 201
    assert api.post(f"/{event_id}", EDIT).status_code == 201
    assert api.post(f"/{event_id}", {"state": "UNEDITED"}).status_code == 409


def test_a_manual_link_finishes_an_event_and_force_resets_it(api: Api) -> None:
    event_id = api.create()
    assert api.post(f"/manual-link/{event_id}", {"link": "javascript:x"}).status_code == 400
    link = {"link": "https://example.org/v"}
    assert api.post(f"/manual-link/{event_id}", link).status_code == 201
    assert api.event(event_id)["video_link"] == "https://example.org/v"
    assert api.post(f"/reset/{event_id}").status_code == 409
    assert api.post(f"/reset/{event_id}?force=true").status_code == 201
    assert api.event(event_id)["video_link"] is None
    assert "https://example.org/v" in api.get(f"/{event_id}/history").text


def test_a_published_video_can_be_modified(api: Api) -> None:
    event_id = api.create()
    api.post(f"/manual-link/{event_id}", {"link": "https://example.org/v"})
    change = {"state": "MODIFIED", "video_title": "Better"}
    assert api.post(f"/{event_id}", change).status_code == 201
    assert api.post(f"/{event_id}", change).status_code == 201
    event = api.event(event_id)
    assert (event["state"], event["video_title"]) == ("MODIFIED", "Better")


@pytest.mark.parametrize("path", ["/nope", "/reset/nope", "/manual-link/nope"])
def test_what_does_not_exist_is_a_404(api: Api, path: str) -> None:
    assert api.post(path, {**EDIT, "link": "https://example.org"}).status_code == 404


def test_writing_needs_a_token_and_reading_does_not(database_dsn: str) -> None:
    made = run_command("thrimshim.tokens", "--database", database_dsn, "create", "alice")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    with start_thrimshim(database_dsn) as process:
        api = Api(process.wait_ready().url)
        assert api.post().status_code == 401
        assert api.post("/auth-test", headers={"Authorization": "Bearer wrong"}).status_code == 401
        api.session.headers["Authorization"] = f"Bearer {token}"
        assert api.post("/auth-test").text.strip() == "alice"
        event_id = api.create()
        api.post(f"/{event_id}", EDIT)
        assert api.event(event_id)["editor"] == "alice"
        assert (
            run_command(
                "thrimshim.tokens", "--database", database_dsn, "revoke", "alice"
            ).returncode
            == 0
        )
        assert api.post().status_code == 401
        assert api.get().status_code == 200


def test_the_token_itself_is_not_stored(database_dsn: str) -> None:
    token = run_command(
        "thrimshim.tokens", "--database", database_dsn, "create", "a"
    ).stdout.strip()
    connection = psycopg2.connect(database_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM api_tokens t WHERE t::text LIKE %s", (f"%{token}%",))
        found = cursor.fetchone()
        assert found == (0,)
    connection.close()


def test_a_restart_of_postgres_is_survived(own_postgres: Postgres) -> None:
    with start_thrimshim(own_postgres.dsn, "--no-authentication") as process:
        api = Api(process.wait_ready().url)
        event_id = api.create()
        own_postgres.kill()
        answer = api.get()
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        own_postgres.start()
        wait_until(lambda: api.get().ok, "thrimshim answers again")
        assert api.event(event_id)["state"] == "UNEDITED"


def test_it_waits_for_a_database_that_comes_later(own_postgres: Postgres) -> None:
    own_postgres.stop()
    with start_thrimshim(own_postgres.dsn, "--no-authentication") as process:
        assert requests.get(f"{process.url}/readyz", timeout=60).status_code == 503
        assert requests.get(f"{process.url}/healthz", timeout=60).status_code == 200
        own_postgres.start()
        process.wait_ready()
        assert process.terminate() == 0


def test_the_page_is_served_with_its_files(api: Api) -> None:
    page = requests.get(f"{api.root}/", timeout=60)
    assert "Wubloader" in page.text
    for name in ("page.js", "page.css"):
        assert requests.get(f"{api.root}/static/{name}", timeout=60).status_code == 200
    assert requests.get(f"{api.root}/static/..%2Fapp.py", timeout=60).status_code == 404
