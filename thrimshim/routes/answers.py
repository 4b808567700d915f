"""Answers as `/openapi.json` describes them; 400 and 503 are the same everywhere (common.web)."""

from flask_openapi3.types import ResponseDict as Answers

from common.web import text_answer

__all__ = ["UNCHANGED", "UNKNOWN", "WRITES", "Answers", "conflict", "found", "said"]


def found(description: str) -> Answers:
    """200, with JSON."""
    return {200: {"description": description, "content": {"application/json": {}}}}


def said(description: str) -> Answers:
    """200, with plain text."""
    return {200: text_answer(description)}


UNCHANGED: Answers = {304: {"description": "It still is what If-None-Match names."}}
UNKNOWN: Answers = {404: text_answer("There is no such event.")}
WRITES: Answers = {
    401: text_answer("The API token is missing, unknown or revoked."),
    413: text_answer("The body is too large."),
}


def conflict(description: str) -> Answers:
    """409, with what to do about it."""
    return {409: text_answer(description)}
