/**
 * The tables and functions of a fleet in PostgreSQL. Each step of the engine is one call of one function.
 *
 * Invariants
 *  1. A cursor is a snapshot, taken in the same statement as the rows. A later read returns the rows whose transaction started later
 *     (`xid >= xmax`) or was in progress (`xip`), and has committed since. A sequence would lose late commits.
 *  2. Each transaction that was in progress is its own range of the index. All later transactions are one more range. With a single
 *     condition, each read would scan all rows that are younger than the oldest open transaction.
 *  3. The pages of one read show one snapshot, which is the cursor of the last page. The next read returns later commits.
 *  4. The epoch changes when the server starts, when the table is recreated or truncated, and when a statement deletes rows that
 *     have not expired. Then a read is whole.
 *  5. A row whose `xid` lies in the future was restored from a dump. `read` returns it each time, until the next `connect` gives
 *     it a new `xid`.
 *  6. Locks are acquired in one order: rows of `log` by log and id; a row of `slot` before its rows of `holder`. Cleaning skips
 *     locked rows.
 *  7. `hold` reads the clock and the holders after it has locked the slot.
 *  8. Each function waits at most 2 s for a lock, in the server, because a closed connection does not end its query.
 */

/** The version of the functions. An older schema is refused. */
export const SCHEMA_VERSION = 1;

/** The first half of the keys of advisory locks. The second half is 1 for creating the schema, or the table for cleaning it. */
const LOCK = 1_902_471_539;

/** Returns the schema as one statement, so that it is created as a whole, by any client. */
export function schemaSql(schema: string): string {
  const s = `"${schema}"`;
  // Compiling a plan takes longer than running it.
  const settings = `SET lock_timeout = '2s' SET jit = off`;
  const ms = (interval: string): string => `ceil(1000 * extract(epoch FROM ${interval}))`;
  const expired = (table: string, condition: string, more = ''): string =>
    `DELETE FROM ${s}.${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${s}.${table} WHERE ${condition} ${more} FOR UPDATE SKIP LOCKED));`;
  // The transactions that were not visible in the snapshot f: those in progress, and all later ones. Each range is one scan of
  // one index, also without statistics of the table (2).
  const unseen = `(
        SELECT o AS low, o AS high FROM unnest(ARRAY(SELECT pg_snapshot_xip(f))) o
        UNION ALL SELECT pg_snapshot_xmax(f), '18446744073709551615'::xid8) unseen`;

  return `DO $schema$ BEGIN
  PERFORM pg_advisory_xact_lock(${LOCK}, 1);
  CREATE SCHEMA IF NOT EXISTS ${s};

  CREATE TABLE IF NOT EXISTS ${s}.about (
    namespace text PRIMARY KEY, version int NOT NULL, retention float8 NOT NULL,
    cleaned_at timestamptz NOT NULL DEFAULT clock_timestamp(), losses int NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS ${s}.log (
    namespace text COLLATE "C", log text COLLATE "C", id text COLLATE "C" CHECK (id <> ''),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(), expires_at timestamptz NOT NULL, body text NOT NULL,
    PRIMARY KEY (namespace, log, id));
  CREATE INDEX IF NOT EXISTS log_xid ON ${s}.log (namespace, log, xid, id);
  CREATE INDEX IF NOT EXISTS log_expires_at ON ${s}.log (expires_at);
  CREATE TABLE IF NOT EXISTS ${s}.member (
    namespace text, id text, expires_at timestamptz NOT NULL, keep interval NOT NULL, gone boolean NOT NULL DEFAULT false,
    PRIMARY KEY (namespace, id));
  CREATE TABLE IF NOT EXISTS ${s}.slot (
    namespace text, name text, fence bigint NOT NULL DEFAULT 0, wanted boolean NOT NULL DEFAULT false,
    used_at timestamptz NOT NULL, PRIMARY KEY (namespace, name));
  CREATE TABLE IF NOT EXISTS ${s}.holder (
    namespace text, name text, holder text, fence bigint NOT NULL, expires_at timestamptz NOT NULL,
    PRIMARY KEY (namespace, name, holder));

  CREATE OR REPLACE FUNCTION ${s}.count_losses() RETURNS trigger LANGUAGE plpgsql AS $f$
  BEGIN
    UPDATE ${s}.about SET losses = losses + 1
      WHERE namespace IN (SELECT namespace FROM gone WHERE expires_at > clock_timestamp());
    RETURN NULL;
  END $f$;
  -- A trigger is created once: it locks the table until open transactions have ended.
  IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = '${s}.log'::regclass AND tgname = 'count_losses') THEN
    CREATE TRIGGER count_losses AFTER DELETE ON ${s}.log REFERENCING OLD TABLE AS gone
      FOR EACH STATEMENT EXECUTE FUNCTION ${s}.count_losses();
  END IF;

  CREATE OR REPLACE FUNCTION ${s}.epoch(_ns text) RETURNS text LANGUAGE plpgsql STABLE AS $f$
  BEGIN
    IF pg_is_in_recovery() THEN
      RAISE 'this server is a standby, and a fleet needs the primary' USING ERRCODE = '25006';
    END IF;
    RETURN concat_ws('.', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
      pg_relation_filenode('${s}.log'), (SELECT losses FROM ${s}.about WHERE namespace = _ns));
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.channel(_ns text, _topic text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$
    SELECT 'quiesce_' || left(encode(sha256(convert_to(concat_ws(E'\\n', '${schema}', _ns, _topic), 'UTF8')), 'hex'), 16)
  $f$;

  CREATE OR REPLACE FUNCTION ${s}.connect(_ns text, _retention float8) RETURNS text LANGUAGE plpgsql ${settings} AS $f$
  BEGIN
    PERFORM ${s}.epoch(_ns);
    INSERT INTO ${s}.about VALUES (_ns, ${SCHEMA_VERSION}, _retention) ON CONFLICT DO NOTHING;
    UPDATE ${s}.log SET xid = pg_current_xact_id()
      WHERE namespace = _ns AND xid >= pg_snapshot_xmax(pg_current_snapshot());
    RETURN json_build_object('version', ${SCHEMA_VERSION}, 'retention',
      (SELECT retention FROM ${s}.about WHERE namespace = _ns));
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.listen(_ns text, _me text) RETURNS text LANGUAGE plpgsql AS $f$
  DECLARE channels text[] := ARRAY(SELECT ${s}.channel(_ns, topic) FROM unnest(ARRAY['cancels', _me, 'slots']) topic);
  BEGIN
    FOR i IN 1..3 LOOP EXECUTE format('LISTEN %I', channels[i]); END LOOP;
    RETURN array_to_json(channels);
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.hint(_ns text, _topic text) RETURNS text LANGUAGE sql AS $f$
    SELECT '"' || pg_notify(${s}.channel(_ns, _topic), '') || '"'
  $f$;

  CREATE OR REPLACE FUNCTION ${s}.append(_ns text, _records text) RETURNS text LANGUAGE plpgsql ${settings} AS $f$
  BEGIN
    WITH added AS (
      INSERT INTO ${s}.log (namespace, log, id, body, expires_at)
      SELECT _ns, r.log, r.id, r.body, clock_timestamp() + r.ttl * interval '1 ms'
      FROM json_to_recordset(_records::json) AS r (log text, id text, body text, ttl float8)
      ORDER BY r.log COLLATE "C", r.id COLLATE "C"
      ON CONFLICT DO NOTHING RETURNING log)
    SELECT count(pg_notify(${s}.channel(_ns, topic), '')) INTO _records
      FROM (SELECT DISTINCT log AS topic FROM added) topics;
    RETURN _records;
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.cancel(namespace text, key text, reason jsonb DEFAULT NULL, ttl interval DEFAULT NULL)
  RETURNS text LANGUAGE plpgsql ${settings} AS $f$
  DECLARE
    kept float8 := coalesce((SELECT a.retention FROM ${s}.about a WHERE a.namespace = cancel.namespace), 3600000);
    ms float8 := 1000 * extract(epoch FROM ttl);
    entry json;
    id text := gen_random_uuid();
  BEGIN
    IF (namespace ~ '^[A-Za-z0-9_-]{1,32}$') IS NOT TRUE THEN
      RAISE 'quiesce.cancel: the namespace % must have 1 to 32 letters, digits, _ or -', quote_nullable(namespace)
        USING ERRCODE = '22023';
    ELSIF (octet_length(convert_to(key, 'UTF8')) <= 512 AND array_length(string_to_array(key, '/'), 1) <= 32
        AND key !~ '^/|//|/$|^$' AND key !~ '[\\u0001-\\u001f\\u007f-\\u009f]') IS NOT TRUE THEN
      RAISE 'quiesce.cancel: the key % must have 1 to 32 segments, none empty, no control character, and at most 512 bytes',
        quote_nullable(key) USING ERRCODE = '22023', HINT = 'Write a path such as jobs/42/3';
    ELSIF reason IS NOT NULL AND (jsonb_typeof(reason) = 'object' AND octet_length(reason::text) <= 8192
        AND reason ->> 'type' IN ('cancelled', 'timeout', 'error', 'value')) IS NOT TRUE THEN
      RAISE 'quiesce.cancel: the reason % must be what encodeReason returns, and at most 8 kB', left(reason::text, 60)
        USING ERRCODE = '22023', HINT = 'Write {"type": "value", "value": "stopped by user"}, or NULL';
    ELSIF NOT (ms BETWEEN 1000 AND kept) THEN
      RAISE 'quiesce.cancel: the ttl % must be from 1 s to %, the retention of the fleet', ttl, kept * interval '1 ms'
        USING ERRCODE = '22023';
    END IF;
    entry := json_build_object('log', 'cancels', 'id', id, 'ttl', kept, 'body', key || E'\\n' ||
      (jsonb_build_object('v', 1, 'reason', reason) || CASE WHEN ms IS NULL THEN '{}' ELSE jsonb_build_object('ttl', ms) END));
    PERFORM ${s}.append(namespace, json_build_array(entry)::text);
    RETURN id;
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.read(_ns text, _log text, _after text) RETURNS text LANGUAGE plpgsql STABLE ${settings} SET enable_seqscan = off AS $f$
  DECLARE
    t timestamptz := clock_timestamp();
    e text := ${s}.epoch(_ns);
    seen pg_snapshot := pg_current_snapshot();
    c json := _after;
    whole boolean := (c ->> 'e') IS DISTINCT FROM e
      OR pg_snapshot_xmax(coalesce(c ->> 'u', c ->> 'f')::pg_snapshot) > pg_snapshot_xmax(seen);
    f pg_snapshot; u pg_snapshot; x xid8; i text; answer text;
  BEGIN
    IF whole THEN c := NULL; END IF;
    f := coalesce(c ->> 'f', '1:1:');
    u := coalesce((c ->> 'u')::pg_snapshot, seen);
    x := coalesce(c ->> 'x', '0');
    i := coalesce(c ->> 'i', '');
    SELECT json_build_object('whole', whole, 'more', count(*) > 500,
        'records', coalesce(json_agg(json_build_object('id', id, 'body', body, 'left', ${ms('expires_at - t')}) ORDER BY n)
          FILTER (WHERE n <= 500), '[]'),
        'cursor', CASE WHEN count(*) > 500
          THEN json_build_object('e', e, 'f', f, 'u', u, 'x', (array_agg(xid ORDER BY n))[500], 'i', (array_agg(id ORDER BY n))[500])
          ELSE json_build_object('e', e, 'f', u) END)
      INTO answer
      FROM (
        SELECT l.*, row_number() OVER (ORDER BY l.xid, l.id) AS n
        FROM ${unseen}, LATERAL (
          SELECT l.xid, l.id, l.body, l.expires_at FROM ${s}.log l
          WHERE l.namespace = _ns AND l.log = _log AND l.expires_at > t
            AND (l.xid, l.id) > (greatest(low, x), CASE WHEN x < low THEN '' ELSE i END) AND l.xid <= high
            AND (pg_visible_in_snapshot(l.xid, u) OR l.xid >= pg_snapshot_xmax(seen))
          ORDER BY l.xid, l.id LIMIT 501) l
        WHERE high >= x ORDER BY l.xid, l.id LIMIT 501) page;
    RETURN answer;
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.peek(_ns text, _me text, _after text) RETURNS text LANGUAGE plpgsql STABLE ${settings} SET enable_seqscan = off AS $f$
  DECLARE
    e text := ${s}.epoch(_ns);
    seen pg_snapshot := pg_current_snapshot();
    c json := _after;
    f pg_snapshot := coalesce(c ->> 'f', seen::text);
  BEGIN
    RETURN json_build_object('cursor', json_build_object('e', e, 'f', seen), 'changed', ARRAY(
      SELECT o FROM unnest(ARRAY['cancels', _me, 'slots']) WITH ORDINALITY topics (topic, o)
      WHERE c ->> 'e' <> e OR pg_snapshot_xmax(f) > pg_snapshot_xmax(seen)
        OR EXISTS (SELECT FROM ${unseen}, LATERAL (
          SELECT FROM ${s}.log l WHERE l.namespace = _ns AND l.log = topic AND l.xid >= low AND l.xid <= high
          ORDER BY l.xid LIMIT 1) l)));
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.meet(_ns text, _id text, _ttl float8, _keep float8) RETURNS text LANGUAGE plpgsql ${settings} AS $f$
  DECLARE t timestamptz := clock_timestamp();
  BEGIN
    IF _id IS NOT NULL THEN
      INSERT INTO ${s}.member AS m VALUES (_ns, _id, t + _ttl * interval '1 ms', _keep * interval '1 ms')
        ON CONFLICT (namespace, id) DO UPDATE SET expires_at = excluded.expires_at, keep = excluded.keep WHERE NOT m.gone;
      IF pg_try_advisory_xact_lock(${LOCK}, '${s}.log'::regclass::oid::int) THEN
        UPDATE ${s}.about SET cleaned_at = t WHERE namespace IN (SELECT namespace FROM ${s}.about
          WHERE namespace = _ns AND cleaned_at < t - interval '1 s' FOR UPDATE SKIP LOCKED);
        IF FOUND THEN
          ${expired('log', 'expires_at < t', 'ORDER BY expires_at LIMIT 10000')}
          ${expired('holder', 'expires_at < t')}
          ${expired('slot', "used_at < t - interval '2 h'")}
          ${expired('member', 'expires_at + keep < t')}
        END IF;
      END IF;
    END IF;
    RETURN (SELECT coalesce(json_agg(json_build_object('id', id, 'left', ${ms('expires_at - t')}, 'gone', gone)), '[]')
      FROM ${s}.member WHERE namespace = _ns AND expires_at + keep > t);
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.leave(_ns text, _id text) RETURNS text LANGUAGE sql ${settings} AS $f$
    UPDATE ${s}.member SET gone = true, expires_at = clock_timestamp() WHERE namespace = _ns AND id = _id AND NOT gone
      RETURNING NULL::text
  $f$;

  CREATE OR REPLACE FUNCTION ${s}.hold(_ns text, _name text, _holder text, _ttl float8, _permits int, _fence bigint)
  RETURNS text LANGUAGE plpgsql ${settings} AS $f$
  DECLARE
    t timestamptz; last bigint; mine bigint; held int; earliest timestamptz;
  BEGIN
    INSERT INTO ${s}.slot AS s (namespace, name, used_at) VALUES (_ns, _name, clock_timestamp())
      ON CONFLICT (namespace, name) DO UPDATE SET used_at = excluded.used_at RETURNING s.fence INTO last;
    t := clock_timestamp();
    SELECT max(h.fence) FILTER (WHERE h.holder = _holder), count(*), min(h.expires_at) INTO mine, held, earliest
      FROM ${s}.holder h WHERE h.namespace = _ns AND h.name = _name AND h.expires_at > t;
    IF _fence IS NOT NULL AND _fence IS DISTINCT FROM mine THEN RETURN '{"lost":true}'; END IF;
    IF mine IS NULL AND held >= _permits THEN
      UPDATE ${s}.slot SET wanted = true WHERE namespace = _ns AND name = _name AND NOT wanted;
      RETURN json_build_object('wait', ${ms('earliest - t')});
    END IF;
    IF mine IS NULL THEN
      mine := greatest(last + 1, (extract(epoch FROM t) * 1000000)::bigint);
      UPDATE ${s}.slot SET fence = mine WHERE namespace = _ns AND name = _name;
    END IF;
    INSERT INTO ${s}.holder VALUES (_ns, _name, _holder, mine, t + _ttl * interval '1 ms')
      ON CONFLICT (namespace, name, holder) DO UPDATE SET fence = excluded.fence, expires_at = excluded.expires_at;
    RETURN json_build_object('fence', mine);
  END $f$;

  CREATE OR REPLACE FUNCTION ${s}.release(_ns text, _name text, _holder text, _fence bigint)
  RETURNS text LANGUAGE plpgsql ${settings} AS $f$
  BEGIN
    PERFORM FROM ${s}.slot WHERE namespace = _ns AND name = _name FOR UPDATE;
    DELETE FROM ${s}.holder WHERE namespace = _ns AND name = _name AND holder = _holder AND fence = _fence;
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE ${s}.slot SET wanted = false WHERE namespace = _ns AND name = _name AND wanted;
    IF NOT FOUND THEN RETURN NULL; END IF;
    -- Seen by those that poll. Its id stays, and its transaction is this one.
    INSERT INTO ${s}.log VALUES (_ns, 'slots', _name, DEFAULT, clock_timestamp() + interval '1 min', '')
      ON CONFLICT (namespace, log, id) DO UPDATE SET xid = excluded.xid, expires_at = excluded.expires_at;
    PERFORM pg_notify(${s}.channel(_ns, 'slots'), '');
    RETURN NULL;
  END $f$;
END $schema$`;
}
