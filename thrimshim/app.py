"""The HTTP application: errors of the database and of editors become answers here."""

from flask import Response
from flask_openapi3 import OpenAPI
from prometheus_client import CollectorRegistry

from common.db.database import Database
from common.errors import DatabaseUnavailable
from common.web import ReadyCheck, create_app, text_response
from thrimshim.auth import Authenticate
from thrimshim.config import Config
from thrimshim.edits import InvalidEdit
from thrimshim.routes.events import add_event_routes
from thrimshim.routes.page import add_page_routes
from thrimshim.routes.settings import add_settings_routes

RETRY_SECONDS = 5
_MAX_BODY_BYTES = 16 * 1024 * 1024


def create_thrimshim(
    config: Config,
    *,
    database: Database,
    authenticate: Authenticate,
    registry: CollectorRegistry,
    ready: ReadyCheck,
) -> OpenAPI:
    """Everything that thrimshim answers."""
    app = create_app("thrimshim", registry=registry, ready=ready)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY_BYTES
    add_event_routes(app, config.rules, config.bustime_start, database, authenticate)
    add_settings_routes(app, config.rules, config.bustime_start, authenticate)
    add_page_routes(app, config)

    @app.errorhandler(DatabaseUnavailable)
    def unavailable(error: DatabaseUnavailable) -> Response:
        response = text_response(f"the database does not answer, try again: {error}", 503)
        response.headers["Retry-After"] = str(RETRY_SECONDS)
        return response

    @app.errorhandler(InvalidEdit)
    def invalid(error: InvalidEdit) -> Response:
        return text_response(str(error), 400)

    return app
