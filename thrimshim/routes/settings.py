"""What an editor's page asks before it shows an event."""

from flask import Response, jsonify
from flask_openapi3 import OpenAPI

from common.media.transitions import DESCRIPTIONS
from common.web import text_response
from thrimshim.auth import Authenticate
from thrimshim.documents import settings_document
from thrimshim.edits import Rules
from thrimshim.routes import answers


def add_settings_routes(
    app: OpenAPI, rules: Rules, bustime_start: str | None, authenticate: Authenticate
) -> None:
    @app.get("/thrimshim/defaults", responses=answers.found("The defaults."))
    def defaults() -> Response:
        """Defaults of a new edit, and what titles and locations may be."""
        return jsonify(settings_document(rules, bustime_start))

    @app.get("/thrimshim/transitions", responses=answers.found("The transitions."))
    def transitions() -> Response:
        """The transitions that can be cut, each with a description; hard cuts need none."""
        return jsonify([{"name": name, "description": text} for name, text in DESCRIPTIONS.items()])

    @app.post(
        "/thrimshim/auth-test",
        responses=answers.said("The editor's name.") | answers.WRITES,
    )
    def auth_test() -> Response:
        """Who the sender is, or 401."""
        return text_response(authenticate())
