"""Events: read, create, edit, reset, link."""

import uuid

from flask import Response, jsonify, request, url_for
from flask_openapi3 import OpenAPI
from pydantic import BaseModel
from werkzeug.exceptions import Conflict, NotFound

from common.db.database import Database
from common.events import GIVEN_COLUMNS, RESETTABLE, EventState
from thrimshim import queries
from thrimshim.auth import Authenticate
from thrimshim.documents import (
    difference_text,
    editing_document,
    encode,
    event_document,
    history_document,
)
from thrimshim.edits import (
    Edit,
    EventId,
    ManualLink,
    NewEvent,
    Rules,
    Text,
    Time,
    changed_given,
    check_link,
    column_values,
    modified_values,
)
from thrimshim.routes import answers


class EventPath(BaseModel):
    event_id: EventId


class Filter(BaseModel):
    """Which events to list: all that match."""

    state: EventState | None = None
    category: Text | None = None
    modified_since: Time | None = None


class ResetQuery(BaseModel):
    """`force=true` also resets what has been published, or is being published."""

    force: bool = False


class Created(BaseModel):
    id: str


_CREATED: answers.Answers = {201: Created}


def _changed(conflict: str) -> answers.Answers:
    """The answers to a change of an event; `conflict` says what stands against it."""
    saved: answers.Answers = {201: {"description": "It is saved."}}
    return saved | answers.WRITES | answers.UNKNOWN | answers.conflict(conflict)


class Events:
    """The steps behind the routes, each in one transaction."""

    def __init__(self, rules: Rules, database: Database) -> None:
        self._rules = rules
        self._database = database

    def edit(self, event_id: str, edit: Edit, editor: str) -> None:
        """Save a draft, an edit or a modification. Raises NotFound, Conflict, InvalidEdit."""
        with self._database.transaction(actor=editor) as cursor:
            row = queries.get_event(cursor, event_id, lock=True)
            if row is None:
                raise _unknown(event_id)
            changed = changed_given(edit, row)
            if changed and not edit.override_changes:
                raise Conflict(difference_text(changed))
            state = EventState(row["state"])
            wanted = EventState(edit.state)
            _check_step(state, wanted)
            values = (
                modified_values(edit, self._rules)
                if wanted is EventState.MODIFIED
                else column_values(edit, self._rules)
            )
            queries.save_edit(
                cursor, event_id, expected=state, state=wanted, editor=editor, values=values
            )

    def link(self, event_id: str, body: ManualLink, editor: str) -> None:
        """Raises NotFound, Conflict, InvalidEdit."""
        link = check_link(body.link)
        with self._database.transaction(actor=editor) as cursor:
            row = queries.get_event(cursor, event_id, lock=True)
            if row is None:
                raise _unknown(event_id)
            if not queries.link_manually(
                cursor, event_id, link=link, upload_location=body.upload_location, editor=editor
            ):
                raise Conflict(f"the event is {row['state']}; reset it before you give it a link")

    def reset(self, event_id: str, *, force: bool, editor: str) -> None:
        """Raises NotFound, Conflict."""
        with self._database.transaction(actor=editor) as cursor:
            row = queries.get_event(cursor, event_id, lock=True)
            if row is None:
                raise _unknown(event_id)
            if not queries.reset_event(cursor, event_id, force=force):
                allowed = ", ".join(sorted(state.value for state in RESETTABLE))
                raise Conflict(
                    f"the event is {row['state']}; without force=true only {allowed} are reset"
                )


def _unknown(event_id: str) -> NotFound:
    return NotFound(f"there is no event {event_id}")


# What may be posted when. Saving a draft or a modification again is no step, but fine.
_EDITABLE = {
    EventState.UNEDITED: {EventState.UNEDITED},
    EventState.EDITED: {EventState.UNEDITED},
    EventState.MODIFIED: {EventState.DONE, EventState.MODIFIED},
}

_ADVICE = {
    EventState.UNEDITED: "a draft can be saved only while an event is UNEDITED",
    EventState.EDITED: "an edit can be submitted only while an event is UNEDITED; reset it first",
    EventState.MODIFIED: "only an event that is DONE can be modified",
}


def _check_step(state: EventState, wanted: EventState) -> None:
    """Raises Conflict, with advice."""
    if state not in _EDITABLE[wanted]:
        raise Conflict(f"the event is {state.value}: {_ADVICE[wanted]}")


def _conditional(document: object) -> Response:
    """JSON with an ETag; 304 if the client has just that."""
    text, etag = encode(document)
    response = Response(text, content_type="application/json")
    response.set_etag(etag)
    response.cache_control.no_cache = True
    response.make_conditional(request)
    return response


def add_event_routes(
    app: OpenAPI,
    rules: Rules,
    bustime_start: str | None,
    database: Database,
    authenticate: Authenticate,
) -> None:
    """Everything below /thrimshim that is about events."""
    events = Events(rules, database)
    _add_reading(app, rules, bustime_start, database)
    _add_creating(app, database, authenticate)

    @app.post(
        "/thrimshim/<event_id>",
        responses=_changed("The event is in another state, or was changed in the meantime."),
    )
    def edit_event(path: EventPath, body: Edit) -> Response:
        """Save a draft (UNEDITED), submit an edit (EDITED), or change what is DONE (MODIFIED)."""
        events.edit(path.event_id, body, authenticate())
        return Response(status=201)

    @app.post(
        "/thrimshim/manual-link/<event_id>",
        responses=_changed("The event is not UNEDITED."),
    )
    def manual_link(path: EventPath, body: ManualLink) -> Response:
        """Give an UNEDITED event the link of a video that exists already."""
        events.link(path.event_id, body, authenticate())
        return Response(status=201)

    @app.post(
        "/thrimshim/reset/<event_id>",
        responses=_changed("The event's state is not reset without force."),
    )
    def reset_event(path: EventPath, query: ResetQuery) -> Response:
        """Take an event back to UNEDITED; a running cut of it stops."""
        events.reset(path.event_id, force=query.force, editor=authenticate())
        return Response(status=201)


def _add_reading(app: OpenAPI, rules: Rules, bustime_start: str | None, database: Database) -> None:
    @app.get("/thrimshim", responses=answers.found("The events.") | answers.UNCHANGED)
    def list_events(query: Filter) -> Response:
        """All events, without their images."""
        with database.transaction() as cursor:
            rows = queries.list_events(
                cursor,
                state=query.state,
                category=query.category,
                modified_since=query.modified_since,
            )
        return _conditional([event_document(row) for row in rows])

    @app.get(
        "/thrimshim/<event_id>",
        responses=answers.found("The event.") | answers.UNCHANGED | answers.UNKNOWN,
    )
    def get_event(path: EventPath) -> Response:
        """One event, with what an editor's page needs to know of this installation."""
        with database.transaction() as cursor:
            row = queries.get_event(cursor, path.event_id)
        if row is None:
            raise _unknown(path.event_id)
        return _conditional(editing_document(row, rules, bustime_start))

    @app.get("/thrimshim/<event_id>/history", responses=answers.found("The changes."))
    def history(path: EventPath) -> Response:
        """Who changed what in an event, oldest first: `{column: [before, after]}`."""
        with database.transaction() as cursor:
            return jsonify(history_document(queries.event_history(cursor, path.event_id)))


def _add_creating(app: OpenAPI, database: Database, authenticate: Authenticate) -> None:
    @app.post(
        "/thrimshim",
        responses=_CREATED
        | answers.WRITES
        | answers.conflict("There is an event of that id already."),
    )
    def create_event(body: NewEvent) -> Response:
        """Create an event from its given columns."""
        editor = authenticate()
        event_id = body.id or str(uuid.uuid4())
        given = {name: getattr(body, name) for name in GIVEN_COLUMNS}
        with database.transaction(actor=editor) as cursor:
            if not queries.create_event(cursor, event_id, given):
                raise Conflict(f"there is an event {event_id} already")
        response = jsonify({"id": event_id})
        response.status_code = 201
        response.headers["Location"] = url_for("get_event", event_id=event_id)
        return response
