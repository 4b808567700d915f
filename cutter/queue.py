"""All SQL of the cutter: taking events under a lease, keeping it, and saying what became of them.

A lease is a random token and an expiry by the database's clock. Every statement that changes a
leased row names the token, so that whoever has lost the lease changes nothing: such a call raises
`LeaseLost`. Every method raises `DatabaseUnavailable` while Postgres cannot be reached, and is one
transaction.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from psycopg2.extras import Json

from common.db.database import Database
from common.errors import LeaseLost
from common.events import EventState
from cutter.event import Event, Lease

_COLUMNS = """
    id, state, upload_location, edit_time, video_channel, video_quality, video_ranges,
    video_transitions, allow_holes, video_title, video_description, video_tags, error, video_id,
    upload_session
"""

_MINE = """
    upload_location = ANY(%(locations)s)
    AND (coalesce(cardinality(uploader_whitelist), 0) = 0 OR %(name)s = ANY(uploader_whitelist))
    AND (retry_after IS NULL OR retry_after <= clock_timestamp())
"""

EXPIRE_CLAIMS = """
    UPDATE events
    SET state = 'EDITED', uploader = NULL, lease_token = NULL, lease_expires = NULL,
        upload_session = NULL, frames_done = 0, frames_total = 0
    WHERE id IN (
        SELECT id FROM events
        WHERE state = 'CLAIMED' AND lease_expires < clock_timestamp()
        FOR UPDATE SKIP LOCKED
    )
"""

WAITING = f"""
    SELECT {_COLUMNS} FROM events
    WHERE state = 'EDITED' AND {_MINE}
    ORDER BY edit_time NULLS FIRST, id
    LIMIT 1000
"""  # noqa: S608 - built from constants of this module

CLAIM = f"""
    UPDATE events
    SET state = 'CLAIMED', uploader = %(name)s, error = NULL, retry_after = NULL,
        lease_token = %(token)s::uuid,
        lease_expires = clock_timestamp() + %(seconds)s * interval '1 second',
        frames_done = 0, frames_total = 0
    WHERE id = (
        SELECT id FROM events
        WHERE id = %(id)s AND state = 'EDITED' AND edit_time IS NOT DISTINCT FROM %(edit_time)s
            AND {_MINE}
        FOR UPDATE SKIP LOCKED
    )
"""  # noqa: S608 - built from constants of this module

UNSETTLED = f"""
    SELECT {_COLUMNS} FROM events
    WHERE state IN ('FINALIZING', 'TRANSCODING', 'MODIFIED')
        AND (
            upload_location = ANY(%(locations)s)
            -- Published by other means: there is nothing to change, but the state must move on.
            OR (state = 'MODIFIED' AND upload_session IS NULL)
        )
        AND (retry_after IS NULL OR retry_after <= clock_timestamp())
        AND (lease_expires IS NULL OR lease_expires < clock_timestamp())
    ORDER BY edit_time NULLS FIRST, id
    LIMIT 1000
"""  # noqa: S608 - built from constants of this module

ADOPT = """
    UPDATE events
    SET lease_token = %(token)s::uuid,
        lease_expires = clock_timestamp() + %(seconds)s * interval '1 second'
    WHERE id = (
        SELECT id FROM events
        WHERE id = %(id)s AND state = %(state)s AND edit_time IS NOT DISTINCT FROM %(edit_time)s
            AND (lease_expires IS NULL OR lease_expires < clock_timestamp())
        FOR UPDATE SKIP LOCKED
    )
"""

HEARTBEAT = """
    UPDATE events
    SET lease_expires = clock_timestamp() + %(seconds)s * interval '1 second',
        frames_done = %(frames_done)s, frames_total = %(frames_total)s
    WHERE id = %(id)s AND lease_token = %(token)s::uuid AND lease_expires > clock_timestamp()
"""

FINALIZE = """
    UPDATE events
    SET state = 'FINALIZING', upload_session = %(session)s,
        frames_done = %(frames)s, frames_total = %(frames)s,
        lease_expires = clock_timestamp() + %(seconds)s * interval '1 second'
    WHERE id = %(id)s AND lease_token = %(token)s::uuid AND lease_expires > clock_timestamp()
        AND state IN ('CLAIMED', 'FINALIZING')
"""

PUBLISH = """
    UPDATE events
    SET state = %(state)s, video_id = %(video_id)s, video_link = %(video_link)s, error = NULL,
        upload_time = coalesce(upload_time, clock_timestamp()), retry_after = NULL,
        frames_done = frames_total, lease_token = NULL, lease_expires = NULL
    WHERE id = %(id)s AND lease_token = %(token)s::uuid
        AND state IN ('FINALIZING', 'TRANSCODING')
"""

APPLIED = """
    UPDATE events
    SET state = 'DONE', error = NULL, retry_after = NULL, lease_token = NULL, lease_expires = NULL
    WHERE id = %(id)s AND lease_token = %(token)s::uuid AND state = 'MODIFIED'
        AND edit_time IS NOT DISTINCT FROM %(edit_time)s
"""

GIVE_BACK = """
    UPDATE events
    SET state = %(state)s, error = %(error)s, uploader = NULL, upload_session = NULL,
        video_id = NULL, video_link = NULL, upload_time = NULL,
        lease_token = NULL, lease_expires = NULL, retry_after = NULL,
        frames_done = 0, frames_total = 0
    WHERE id = %(id)s AND lease_token = %(token)s::uuid
        AND state IN ('CLAIMED', 'FINALIZING', 'TRANSCODING')
"""

POSTPONE = """
    UPDATE events
    SET lease_token = NULL, lease_expires = NULL,
        retry_after = clock_timestamp() + %(retry_seconds)s * interval '1 second'
    WHERE id = %(id)s AND lease_token = %(token)s::uuid
"""

EXPLAIN_WAITING = """
    UPDATE events SET error = %(error)s
    WHERE id = %(id)s AND state = 'EDITED' AND error IS NULL
        AND edit_time IS NOT DISTINCT FROM %(edit_time)s
"""


class EventQueue:
    """The events of the database, as the cutter called `name` may take them.

    `locations` are the upload locations that it has. A lease holds for `lease_seconds` from each
    heartbeat on.
    """

    def __init__(
        self, database: Database, *, name: str, locations: Iterable[str], lease_seconds: float
    ) -> None:
        self._database = database
        self._scope = {"name": name, "locations": list(locations)}
        self.lease_seconds = lease_seconds
        self._actor = f"cutter {name}"

    def expire_claims(self) -> int:
        """Make claims whose lease ran out EDITED again, anyone's; returns how many those were."""
        return self._execute(EXPIRE_CLAIMS, {})

    def waiting(self) -> list[Event]:
        """EDITED events that this cutter may take, the longest waiting first."""
        return self._select(WAITING)

    def unsettled(self) -> list[Event]:
        """Events past the cut that nobody works on: FINALIZING, TRANSCODING, MODIFIED."""
        return self._select(UNSETTLED)

    def claim(self, event: Event) -> Lease | None:
        """EDITED to CLAIMED; None if another took it or it was edited anew."""
        return self._lease(CLAIM, event)

    def adopt(self, event: Event) -> Lease | None:
        """Lease an unsettled event without changing its state; None if another was faster."""
        return self._lease(ADOPT, event)

    def heartbeat(self, lease: Lease, *, frames_done: int, frames_total: int) -> None:
        """Hold the lease for another `lease_seconds`, and tell how far the cut is."""
        self._change(HEARTBEAT, lease, frames_done=frames_done, frames_total=frames_total)

    def finalize(self, lease: Lease, session: Mapping[str, Any], *, frames: int) -> None:
        """CLAIMED to FINALIZING: `session` is all that is needed to ask what happened.

        `frames` are in the video. May be repeated, when the database broke off and whether it had
        heard is not known.
        """
        self._change(FINALIZE, lease, session=Json(dict(session)), frames=frames)

    def publish(self, lease: Lease, state: EventState, *, video_id: str, video_link: str) -> None:
        """To DONE or TRANSCODING: the upload location has the video. Ends the lease."""
        self._change(PUBLISH, lease, state=state.value, video_id=video_id, video_link=video_link)

    def applied(self, lease: Lease, event: Event) -> None:
        """MODIFIED to DONE: the upload location has the change. Ends the lease.

        Raises LeaseLost also if the event was modified once more meanwhile: that change is not
        applied yet.
        """
        self._change(APPLIED, lease, edit_time=event.edit_time)

    def give_back(self, lease: Lease, state: EventState, *, error: str | None) -> None:
        """To EDITED or UNEDITED: no video came of it. Ends the lease."""
        self._change(GIVE_BACK, lease, state=state.value, error=error)

    def postpone(self, lease: Lease, *, retry_seconds: float) -> None:
        """End the lease and keep the state, for anyone to go on after `retry_seconds`."""
        self._change(POSTPONE, lease, retry_seconds=retry_seconds)

    def explain_waiting(self, event: Event, error: str) -> None:
        """Tell the editor why nobody has taken the event; it stays EDITED."""
        self._execute(
            EXPLAIN_WAITING, {"id": event.id, "edit_time": event.edit_time, "error": error}
        )

    def _select(self, query: str) -> list[Event]:
        with self._database.transaction() as cursor:
            cursor.execute(query, self._scope)
            return [_event(row) for row in cursor.fetchall()]

    def _lease(self, query: str, event: Event) -> Lease | None:
        lease = Lease(event_id=event.id, token=str(uuid.uuid4()))
        values = {"state": event.state.value, "edit_time": event.edit_time}
        return lease if self._execute(query, self._values(lease) | values) else None

    def _change(self, query: str, lease: Lease, **values: object) -> None:
        if not self._execute(query, self._values(lease) | values):
            raise LeaseLost(f"the lease of event {lease.event_id} is not ours any more")

    def _values(self, lease: Lease) -> dict[str, object]:
        return {
            **self._scope,
            "id": lease.event_id,
            "token": lease.token,
            "seconds": self.lease_seconds,
        }

    def _execute(self, query: str, values: Mapping[str, object]) -> int:
        with self._database.transaction(actor=self._actor) as cursor:
            cursor.execute(query, values)
            return cursor.rowcount


def _event(row: Mapping[str, Any]) -> Event:
    return Event(
        id=row["id"],
        state=EventState(row["state"]),
        location=row["upload_location"] or "",
        edit_time=row["edit_time"],
        channel=row["video_channel"],
        quality=row["video_quality"],
        ranges=tuple(row["video_ranges"] or ()),
        transitions=tuple(row["video_transitions"] or ()),
        allow_holes=row["allow_holes"],
        title=row["video_title"] or "",
        description=row["video_description"] or "",
        tags=tuple(row["video_tags"] or ()),
        error=row["error"],
        video_id=row["video_id"],
        session=row["upload_session"],
    )
