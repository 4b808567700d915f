"""API tokens: made, listed and revoked on the command line, asked for by every write."""

import hashlib
import re
from subprocess import CompletedProcess

import pytest

from tests.support.event_rows import run_sql
from tests.support.processes import run_command
from tests.support.thrimshim import EDIT, Api, start_thrimshim

WRITES = ["", "/x", "/manual-link/x", "/reset/x?force=true", "/auth-test"]


def tokens(dsn: str, *args: str) -> "CompletedProcess[str]":
    return run_command("thrimshim.tokens", "--database", dsn, *args)


def created(dsn: str, name: str) -> str:
    made = tokens(dsn, "create", name)
    assert (made.returncode, made.stderr) == (0, "")
    (token,) = made.stdout.splitlines()
    return token


def test_a_token_is_shown_once_and_only_its_hash_is_kept(database_dsn: str) -> None:
    token = created(database_dsn, "alice")
    assert re.fullmatch(r"wub_[A-Za-z0-9_-]{43}", token)
    (row,) = run_sql(database_dsn, "SELECT * FROM api_tokens")
    assert bytes(row["token_sha256"]) == hashlib.sha256(token.encode()).digest()
    assert token not in repr(row)
    listed = tokens(database_dsn, "list")
    assert (listed.returncode, listed.stdout) == (0, "alice\tused never\n")
    again = tokens(database_dsn, "create", "alice")
    assert (again.returncode, again.stdout) == (2, "")
    assert "there is a token for 'alice' already; revoke it first" in again.stderr
    assert run_sql(database_dsn, "SELECT * FROM api_tokens") == [row]


def test_only_a_token_that_exists_can_be_revoked(database_dsn: str) -> None:
    refused = tokens(database_dsn, "revoke", "nobody")
    assert refused.returncode == 2
    assert refused.stderr == "thrimshim.tokens: there is no token for 'nobody'\n"


def test_the_first_token_can_be_made_before_anything_else(empty_database_dsn: str) -> None:
    assert created(empty_database_dsn, "first")


def test_a_database_that_does_not_answer_is_one_line() -> None:
    ended = tokens("host=127.0.0.1 port=1", "list")
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert "the database does not answer" in line


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer  ", "Basic YTpi", "wub_x"])
def test_without_a_token_no_write_is_taken_and_the_answer_says_how_to_send_one(
    guarded: Api, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in WRITES:
        answer = guarded.post(path, {**EDIT, "link": "https://example.org"}, headers=headers)
        assert answer.status_code == 401, path
        assert "Authorization: Bearer TOKEN" in answer.text
        assert "python -m thrimshim.tokens create" in answer.text
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert [event["state"] for event in guarded.get().json()] == ["UNEDITED"]


@pytest.mark.parametrize("token", ["wrong", "wub_" + "x" * 43, "ä", "' OR true --"])
def test_a_token_that_is_unknown_is_refused_and_said_to_be(guarded: Api, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}".encode()}
    for path in WRITES:
        answer = guarded.post(path, {**EDIT, "link": "https://example.org"}, headers=headers)
        assert answer.status_code == 401, path
        assert answer.text == "this API token is unknown or has been revoked\n"
    assert [event["state"] for event in guarded.get().json()] == ["UNEDITED"]


def test_whose_token_was_used_is_known_and_when(database_dsn: str) -> None:
    alice, bob = created(database_dsn, "alice"), created(database_dsn, "bob")
    with start_thrimshim(database_dsn) as process:
        api = Api(process.wait_ready().url)
        event_id = api.post(headers={"Authorization": f"bearer {alice}"}).json()["id"]
        api.post(f"/{event_id}", EDIT, headers={"Authorization": f"Bearer {bob}"})
        history = api.get(f"/{event_id}/history").json()
        assert [entry["actor"] for entry in history] == ["alice", "bob"]
    listed = tokens(database_dsn, "list").stdout.splitlines()
    assert [line.split("\t")[0] for line in listed] == ["alice", "bob"]
    assert all(re.search(r"used \d{4}-\d\d-\d\dT", line) for line in listed)
