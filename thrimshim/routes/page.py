"""The page at `/`: the stream, the events with their progress, and links to everything else."""

from pathlib import Path

from flask import Response, render_template, send_from_directory
from flask_openapi3 import OpenAPI
from pydantic import BaseModel
from werkzeug.exceptions import NotFound

from thrimshim.config import Config

_FILES = Path(__file__).parents[1] / "static"
_OWN_FILES = {"page.js", "page.css", "icon.svg"}
_PLAYER_FILE = "hls.min.js"


class FilePath(BaseModel):
    name: str


def add_page_routes(app: OpenAPI, config: Config) -> None:
    app.template_folder = str(_FILES)
    origin = "/".join(config.restreamer_url.split("/")[:3])
    # hls.js hands the video to the browser through blob: addresses and works in a blob: worker.
    policy = (
        f"default-src 'self'; connect-src 'self' {origin}; media-src 'self' blob: {origin};"
        " worker-src 'self' blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
    )

    @app.get("/", doc_ui=False)
    def page() -> Response:
        response = Response(
            render_template(
                "index.html",
                channel=config.rules.channel,
                restreamer=config.restreamer_url,
                has_player=(config.player_folder / _PLAYER_FILE).exists(),
            )
        )
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/static/<name>", doc_ui=False)
    def static_file(path: FilePath) -> Response:
        if path.name == _PLAYER_FILE:
            return send_from_directory(config.player_folder, path.name, max_age=3600)
        if path.name not in _OWN_FILES:
            raise NotFound(f"there is no {path.name}")
        return send_from_directory(_FILES, path.name)
