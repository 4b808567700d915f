"""Addresses of a database's host."""

import pytest
from psycopg2.extensions import parse_dsn

from common.db import address
from common.db.address import with_addresses
from common.errors import DatabaseUnavailable


def test_a_name_is_looked_up_and_kept_for_certificates_and_password_files() -> None:
    parts = parse_dsn(with_addresses("host=localhost port=5433 dbname=x"))
    addresses = parts["hostaddr"].split(",")
    assert "127.0.0.1" in addresses
    assert parts["host"].split(",") == ["localhost"] * len(addresses)
    assert parts["port"].split(",") == ["5433"] * len(addresses)
    assert parts["dbname"] == "x"


@pytest.mark.parametrize(
    "dsn",
    ["dbname=x", "host=/run/postgresql", "host=one,two", "host=one hostaddr=127.0.0.1"],
)
def test_what_needs_no_lookup_or_more_than_one_is_left_as_it_is(dsn: str) -> None:
    assert with_addresses(dsn) == dsn


def test_an_unknown_name_is_a_database_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(address, "LOOKUP_SECONDS", 100)  # whoever answers us may be slow
    with pytest.raises(DatabaseUnavailable, match=r"nowhere\.invalid is not known"):
        with_addresses("host=nowhere.invalid")
