"""Who is asking: every write needs an editor."""

from collections.abc import Callable

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from common.db.database import Database
from thrimshim import queries

ANONYMOUS = "anonymous"
"""The name of all editors where nobody is asked who they are."""

Authenticate = Callable[[], str]
"""Returns the editor's name for the current request, or raises Unauthorized."""


def anybody() -> str:
    """Authenticates everyone; only where the operator said so."""
    return ANONYMOUS


def token_authentication(database: Database) -> Authenticate:
    """Editors prove who they are with an API token: `Authorization: Bearer TOKEN`."""

    def authenticate() -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _nobody(
                "send an API token: 'Authorization: Bearer TOKEN'"
                " (`python -m thrimshim.tokens create NAME` makes one)"
            )
        with database.transaction() as cursor:
            name = queries.token_owner(cursor, token.strip())
        if name is None:
            raise _nobody("this API token is unknown or has been revoked")
        return name

    return authenticate


def _nobody(reason: str) -> Unauthorized:
    return Unauthorized(reason, www_authenticate=WWWAuthenticate("bearer"))
