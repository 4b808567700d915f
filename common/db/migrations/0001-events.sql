-- Events, their edits and their way to a published video; who may edit; which nodes there are.
-- All times are timestamptz; connections of ours speak UTC.

CREATE TYPE event_state AS ENUM (
    'UNEDITED', 'EDITED', 'CLAIMED', 'FINALIZING', 'TRANSCODING', 'DONE', 'MODIFIED'
);

CREATE TYPE thumbnail_mode AS ENUM ('NONE', 'BARE', 'TEMPLATE', 'CUSTOM');

CREATE TYPE video_range AS ("start" timestamptz, "end" timestamptz);

CREATE TYPE video_transition AS ("type" text, "duration" interval);

CREATE TABLE events (
    id text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$'),

    -- Given: what whoever noted the moment said of it.
    sheet_name text NOT NULL DEFAULT '',
    event_start timestamptz,
    event_end timestamptz,
    category text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    submitter_winner text NOT NULL DEFAULT '',
    poster_moment boolean NOT NULL DEFAULT false,
    image_links text[] NOT NULL DEFAULT '{}',
    notes text NOT NULL DEFAULT '',
    tags text[] NOT NULL DEFAULT '{}',

    -- Edits: what editors decide.
    allow_holes boolean NOT NULL DEFAULT false,
    uploader_whitelist text[],
    upload_location text,
    public boolean NOT NULL DEFAULT true,
    video_ranges video_range[],
    video_transitions video_transition[],
    video_title text,
    video_description text,
    video_tags text[],
    video_channel text,
    video_quality text,
    thumbnail_mode thumbnail_mode NOT NULL DEFAULT 'NONE',
    thumbnail_time timestamptz,
    thumbnail_template text,
    thumbnail_image bytea,
    thumbnail_crop integer[] CHECK (cardinality(thumbnail_crop) = 4),
    thumbnail_location integer[] CHECK (cardinality(thumbnail_location) = 4),

    -- State: what became of it.
    state event_state NOT NULL DEFAULT 'UNEDITED',
    uploader text,
    error text,
    video_id text,
    video_link text,
    editor text,
    edit_time timestamptz,
    upload_time timestamptz,
    last_modified timestamptz NOT NULL DEFAULT now(),
    thumbnail_last_written timestamptz,

    -- The lease: whose work this row is, until when by this database's clock.
    lease_token uuid,
    lease_expires timestamptz,
    -- Not to be claimed again before this; set after a failure that is worth another try.
    retry_after timestamptz,
    frames_done bigint NOT NULL DEFAULT 0 CHECK (frames_done >= 0),
    frames_total bigint NOT NULL DEFAULT 0 CHECK (frames_total >= 0),
    -- What is needed to ask the upload location whether the video got there.
    upload_session jsonb,

    CONSTRAINT lease_is_whole CHECK ((lease_token IS NULL) = (lease_expires IS NULL)),
    CONSTRAINT one_transition_between_ranges CHECK (
        video_ranges IS NULL OR video_transitions IS NULL
        OR cardinality(video_transitions) = greatest(cardinality(video_ranges) - 1, 0)
    ),
    CONSTRAINT edit_is_complete CHECK (
        state NOT IN ('EDITED', 'CLAIMED', 'FINALIZING', 'TRANSCODING')
        OR (
            cardinality(video_ranges) > 0 AND video_transitions IS NOT NULL
            AND video_title IS NOT NULL AND upload_location IS NOT NULL
            AND video_channel IS NOT NULL AND video_quality IS NOT NULL
        )
    ),
    CONSTRAINT unedited_has_no_work CHECK (
        state <> 'UNEDITED'
        OR (uploader IS NULL AND lease_token IS NULL AND video_link IS NULL
            AND upload_session IS NULL)
    ),
    CONSTRAINT edited_has_no_work CHECK (
        state <> 'EDITED' OR (lease_token IS NULL AND upload_session IS NULL)
    ),
    CONSTRAINT claimed_has_a_lease CHECK (
        state <> 'CLAIMED' OR (uploader IS NOT NULL AND lease_token IS NOT NULL)
    ),
    CONSTRAINT finalizing_can_be_asked CHECK (
        state <> 'FINALIZING' OR (uploader IS NOT NULL AND upload_session IS NOT NULL)
    ),
    CONSTRAINT published_has_a_link CHECK (
        state NOT IN ('TRANSCODING', 'DONE', 'MODIFIED') OR video_link IS NOT NULL
    ),
    CONSTRAINT done_has_no_lease CHECK (state <> 'DONE' OR lease_token IS NULL)
);

-- Cutters look for work, pages for the newest.
CREATE INDEX events_work ON events (state, edit_time) WHERE state NOT IN ('UNEDITED', 'DONE');
CREATE INDEX events_start ON events (event_start);

CREATE TABLE event_audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Who: set by each service for its transactions (set_config 'wubloader.actor').
    actor text NOT NULL,
    operation text NOT NULL,
    -- {column: [old, new]}; images stand as their SHA-256.
    changes jsonb NOT NULL
);

CREATE INDEX event_audit_event ON event_audit (event_id, number);

CREATE FUNCTION event_as_json(event events) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT to_jsonb(event) - 'thumbnail_image' - 'last_modified' - 'lease_expires'
           - 'frames_done' - 'frames_total'
        || jsonb_build_object(
            'thumbnail_image', encode(sha256((event).thumbnail_image), 'hex')
        );
$$;

CREATE FUNCTION event_changes(old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_object_agg(key, jsonb_build_array(old -> key, value)), '{}')
    FROM jsonb_each(new)
    WHERE value IS DISTINCT FROM coalesce(old -> key, 'null');
$$;

-- A heartbeat or a step of progress is no modification.
CREATE FUNCTION stamp_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF event_as_json(new) IS DISTINCT FROM event_as_json(old) THEN
        new.last_modified := now();
    END IF;
    RETURN new;
END
$$;

CREATE FUNCTION record_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := CASE WHEN tg_op = 'INSERT' THEN '{}' ELSE event_as_json(old) END;
    after jsonb := CASE WHEN tg_op = 'DELETE' THEN '{}' ELSE event_as_json(new) END;
    changes jsonb := event_changes(before, after);
    event_id text := CASE WHEN tg_op = 'DELETE' THEN old.id ELSE new.id END;
BEGIN
    IF tg_op = 'DELETE' THEN
        changes := event_changes('{}', before);
    END IF;
    IF changes <> '{}' THEN
        INSERT INTO event_audit (event_id, actor, operation, changes)
        VALUES (
            event_id,
            coalesce(nullif(current_setting('wubloader.actor', true), ''), session_user),
            tg_op,
            changes
        );
    END IF;
    IF tg_op <> 'DELETE' THEN
        PERFORM pg_notify('wubloader_events', new.id || ' ' || new.state);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER stamp_event BEFORE UPDATE ON events
    FOR EACH ROW EXECUTE FUNCTION stamp_event();

CREATE TRIGGER record_event AFTER INSERT OR UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION record_event();

-- The nodes of the cluster: each pulls from every other.
CREATE TABLE nodes (
    name text PRIMARY KEY,
    url text NOT NULL,
    backfill_from boolean NOT NULL DEFAULT true
);

-- Who may edit with an ID token: the e-mail address that the token proves.
CREATE TABLE editors (
    email text PRIMARY KEY CHECK (email = lower(email)),
    name text NOT NULL
);

-- Who may edit with a token of ours. Only its SHA-256 is kept.
CREATE TABLE api_tokens (
    name text PRIMARY KEY,
    token_sha256 bytea NOT NULL UNIQUE CHECK (length(token_sha256) = 32),
    created timestamptz NOT NULL DEFAULT now(),
    last_used timestamptz
);
