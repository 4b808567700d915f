"""docs/HTTP.md has every endpoint of the HTTP services, with its parameters."""

from pathlib import Path

import pytest
from flask_openapi3 import OpenAPI
from prometheus_client import CollectorRegistry

from common.db.database import Database
from common.media.encoders import EncoderPool
from common.segments.store import SegmentStore
from restreamer.app import create_app
from restreamer.config import Config as RestreamerConfig
from tests.support.documents import read_document, sections
from thrimshim.app import create_thrimshim
from thrimshim.auth import anybody
from thrimshim.config import Config as ThrimshimConfig
from thrimshim.edits import Rules

DOCUMENT = sections(read_document("docs/HTTP.md"), level=2)
_COMMON = {"/healthz", "/readyz", "/metrics", "/openapi.json"}


def restreamer() -> OpenAPI:
    registry = CollectorRegistry()
    return create_app(
        RestreamerConfig(
            base_dir=Path(),
            host="127.0.0.1",
            port=0,
            live_window_seconds=300,
            max_cuts=1,
            log_level="INFO",
        ),
        store=SegmentStore(Path(), registry=registry),
        encoders=EncoderPool(registry=registry),
        clock=lambda: 0,
        registry=registry,
    )


def thrimshim() -> OpenAPI:
    registry = CollectorRegistry()
    # Nothing connects before the first request.
    database = Database("host=127.0.0.1", application="test", registry=registry)
    return create_thrimshim(
        ThrimshimConfig(
            database=database.dsn,
            host="127.0.0.1",
            port=0,
            authentication=False,
            bustime_start=None,
            rules=Rules(
                channel="channel",
                quality="source",
                upload_locations=("local",),
                default_location="local",
                title_prefix="",
                title_max_length=100,
            ),
            restreamer_url="http://127.0.0.1:8000",
            player_folder=Path(),
            log_level="INFO",
        ),
        database=database,
        authenticate=anybody,
        registry=registry,
        ready=lambda: (),
    )


APPS = {"restreamer": restreamer(), "thrimshim": thrimshim()}


def endpoints_of(app: OpenAPI, service: str) -> set[str]:
    """`GET /files/<channel>` and so on, without what every service has."""
    found = set()
    for rule in app.url_map.iter_rules():
        if rule.rule not in {*_COMMON, f"/metrics/{service}"}:
            found |= {
                f"{name} {rule.rule}" for name in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            }
    return found


@pytest.mark.parametrize("service", APPS)
def test_each_endpoint_is_described_and_no_other(service: str) -> None:
    assert set(sections(DOCUMENT[service], level=3)) >= endpoints_of(APPS[service], service)
    described = {
        title for title in sections(DOCUMENT[service], level=3) if title[:4] in {"GET ", "POST"}
    }
    assert described == endpoints_of(APPS[service], service)


def test_what_every_service_answers_is_described() -> None:
    for path in _COMMON:
        assert f"`GET {path}`" in DOCUMENT["Every service"]


@pytest.mark.parametrize("service", APPS)
def test_each_parameter_in_a_query_is_described_with_its_endpoint(service: str) -> None:
    texts = sections(DOCUMENT[service], level=3)
    for path, methods in APPS[service].api_doc["paths"].items():
        for method, operation in methods.items():
            title = f"{method.upper()} {path}".replace("{", "<").replace("}", ">")
            text = texts[title.replace("<path>", "<path:path>")]
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    name = parameter["name"]
                    assert f"`{name}`" in text or f"`{name}=" in text, f"{title}: {name}"


@pytest.mark.parametrize("schema", ["NewEvent", "Edit", "ManualLink"])
def test_each_field_of_a_body_is_described(schema: str) -> None:
    fields = APPS["thrimshim"].api_doc["components"]["schemas"][schema]["properties"]
    missing = [name for name in fields if f"`{name}`" not in DOCUMENT["thrimshim"]]
    assert missing == []
