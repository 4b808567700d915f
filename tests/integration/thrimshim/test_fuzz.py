"""Whatever a client sends, thrimshim answers as its description says."""

from itertools import cycle
from typing import Any

from tests.support.fuzz import fuzz, operations
from tests.support.thrimshim import EDIT, Api

REQUESTS = 30


def test_every_answer_is_one_that_the_description_names(api: Api) -> None:
    existing = cycle([*_events_in_several_states(api), None])
    reached: dict[str, set[int]] = {}

    def send(case: Any) -> None:
        event_id = next(existing)
        if event_id and "event_id" in case.path_parameters:
            case.path_parameters["event_id"] = event_id
        answer = case.call(timeout=60)
        documented = {int(status) for status in case.operation.definition.raw["responses"]}
        assert answer.status_code in documented - {500, 503}, answer.text
        reached.setdefault(case.operation.label, set()).add(answer.status_code)

    for operation in operations(api.root):
        fuzz(operation, send, requests=REQUESTS)
    # Some runs make no new event that is refused, but a random text is hardly ever a link.
    assert 201 in reached["POST /thrimshim"]
    assert 400 in reached["POST /thrimshim/manual-link/{event_id}"]
    assert {200, 404} <= reached["GET /thrimshim/{event_id}"]
    assert {400, 404, 409} & reached["POST /thrimshim/{event_id}"]
    assert all(api.event(event["id"]) for event in api.get().json())


def _events_in_several_states(api: Api) -> list[str]:
    unedited, edited, done = (api.create() for _ in range(3))
    assert api.post(f"/{edited}", EDIT).status_code == 201
    link = {"link": "https://example.org/v"}
    assert api.post(f"/manual-link/{done}", link).status_code == 201
    return [unedited, edited, done]


def test_json_that_no_parser_takes_is_a_400(api: Api) -> None:
    bodies = [b"[" * 200_000, b'{"a":' * 100_000, b"{", b"\xff", b"null", b"[]", b"1", b""]
    for body in bodies:
        answer = api.session.post(
            api.url, data=body, headers={"Content-Type": "application/json"}, timeout=60
        )
        assert answer.status_code == 400
        assert "send a JSON object" in answer.text


def test_text_that_cannot_be_stored_is_a_400(api: Api) -> None:
    for text in ("\0", "\ud800", "a\udfffb"):
        answer = api.post(body={"notes": text})
        assert answer.status_code == 400
        assert answer.text.startswith("notes: there is a NUL character or half a surrogate pair")
    assert api.event(api.create(notes="\U0001f600"))["notes"] == "\U0001f600"
