"""Every statement of a store, in SQL that SQLite and PostgreSQL share.

Rule: parameters are named `:name`; a database that names them otherwise has them renamed when
it is opened. What the two say differently is the type of a row that numbers itself and how
its number is told, how an entry is appended, the beginning of a transaction, how a flow is
held in one, and how rows are claimed while others look for some too.

flows      one row a flow: what a list says of it
entries    the lines of the logs, the header as number 0; `number` orders them over all flows
snapshots  the last state that was put aside; a cache
outbox     commands that are not carried out yet, and who has taken them
timers     what is to fire
workers    who takes from the outbox, and until when it lives unless it says so again
"""

from __future__ import annotations

from typing import Final

SERIAL: Final = "INTEGER PRIMARY KEY AUTOINCREMENT"
"""A number is never given again, so that whoever reads on from one misses nothing."""

NUMBER: Final = "INTEGER PRIMARY KEY"
"""Rows of the outbox are told in the order in which they were put, and nothing else."""

OUTBOX_DUE: Final = """
    CREATE INDEX outbox_due ON outbox (kind, not_before_ms, number) WHERE owner IS NULL"""

SCHEMA: Final = (
    """CREATE TABLE flows (
        flow_id TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL,
        began_ms BIGINT NOT NULL, changed_ms BIGINT NOT NULL, accepted_only INTEGER NOT NULL)""",
    "CREATE INDEX flows_by_time ON flows (began_ms, flow_id)",
    "CREATE INDEX flows_by_status ON flows (status, began_ms, flow_id)",
    f"""CREATE TABLE entries (
        number {SERIAL}, flow_id TEXT NOT NULL, seq BIGINT NOT NULL, lines TEXT NOT NULL,
        UNIQUE (flow_id, seq))""",
    """CREATE TABLE snapshots (
        flow_id TEXT PRIMARY KEY, seq BIGINT NOT NULL, at_ms BIGINT NOT NULL,
        position TEXT NOT NULL, state TEXT NOT NULL)""",
    f"""CREATE TABLE outbox (
        number {NUMBER}, flow_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
        work TEXT NOT NULL, owner TEXT, deliveries INTEGER NOT NULL, give_up INTEGER NOT NULL,
        not_before_ms BIGINT NOT NULL, since_ms BIGINT NOT NULL,
        sent_ms BIGINT NOT NULL DEFAULT 0, UNIQUE (flow_id, kind, name))""",
    "CREATE INDEX outbox_ready ON outbox (kind, work, number) WHERE owner IS NULL",
    "CREATE INDEX outbox_taken ON outbox (owner) WHERE owner IS NOT NULL",
    OUTBOX_DUE,
    "CREATE INDEX outbox_put_off ON outbox (not_before_ms) WHERE not_before_ms > 0",
    """CREATE TABLE timers (
        flow_id TEXT NOT NULL, timer TEXT NOT NULL, due_ms BIGINT NOT NULL,
        PRIMARY KEY (flow_id, timer))""",
    "CREATE INDEX timers_by_time ON timers (due_ms)",
    """CREATE TABLE workers (
        worker_id TEXT PRIMARY KEY, name TEXT NOT NULL, boot TEXT NOT NULL,
        until_ms BIGINT NOT NULL, works TEXT NOT NULL)""",
)
"""The tables of a store, in the version that a new one gets."""

# --- flows and their logs ---

ADD_FLOW: Final = """
    INSERT INTO flows (flow_id, type, status, began_ms, changed_ms, accepted_only)
    VALUES (:flow_id, :type, :status, :began_ms, :changed_ms, :accepted_only)
    ON CONFLICT (flow_id) DO NOTHING"""
FLOW: Final = """
    SELECT flow_id, type, status, began_ms, changed_ms, accepted_only
    FROM flows WHERE flow_id = :flow_id"""
FLOWS: Final = """
    SELECT flow_id, type, status, began_ms, changed_ms, accepted_only
    FROM flows WHERE (began_ms, flow_id) > (:began_ms, :flow_id)
    ORDER BY began_ms, flow_id LIMIT :limit"""
FLOWS_OF_STATUS: Final = """
    SELECT flow_id, type, status, began_ms, changed_ms, accepted_only
    FROM flows WHERE status = :status AND (began_ms, flow_id) > (:began_ms, :flow_id)
    ORDER BY began_ms, flow_id LIMIT :limit"""
SET_STATUS: Final = """
    UPDATE flows SET status = :status, changed_ms = :changed_ms WHERE flow_id = :flow_id"""
ADD_HEADER: Final = """
    INSERT INTO entries (flow_id, seq, lines) VALUES (:flow_id, 0, :lines)"""
EXTEND: Final = """
    UPDATE entries SET lines = lines || :lines WHERE flow_id = :flow_id AND seq = :seq"""
PLACE: Final = """
    SELECT number FROM entries WHERE flow_id = :flow_id ORDER BY seq DESC LIMIT 1"""
ENTRIES: Final = """
    SELECT seq, lines FROM entries WHERE flow_id = :flow_id AND seq > :after ORDER BY seq"""
GROWN: Final = "SELECT DISTINCT flow_id FROM entries WHERE number > :after AND number <= :last"
LAST_NUMBER: Final = "SELECT number FROM entries ORDER BY number DESC LIMIT 1"
SNAPSHOT: Final = "SELECT seq, at_ms, position, state FROM snapshots WHERE flow_id = :flow_id"
PUT_SNAPSHOT: Final = """
    INSERT INTO snapshots (flow_id, seq, at_ms, position, state)
    VALUES (:flow_id, :seq, :at_ms, :position, :state)
    ON CONFLICT (flow_id) DO UPDATE SET seq = excluded.seq, at_ms = excluded.at_ms,
        position = excluded.position, state = excluded.state"""
REMOVE_FLOW: Final = (
    "DELETE FROM outbox WHERE flow_id = :flow_id",
    "DELETE FROM timers WHERE flow_id = :flow_id",
    "DELETE FROM snapshots WHERE flow_id = :flow_id",
    "DELETE FROM entries WHERE flow_id = :flow_id",
    "DELETE FROM flows WHERE flow_id = :flow_id",
)

# --- the outbox ---

PUT_ORDER: Final = """
    INSERT INTO outbox
    (flow_id, kind, name, work, owner, deliveries, give_up, not_before_ms, since_ms, sent_ms)
    VALUES (:flow_id, :kind, :name, :work, :owner, :deliveries, 0, :not_before_ms, :since_ms,
        :sent_ms)
    ON CONFLICT (flow_id, kind, name) DO NOTHING"""
ORDER: Final = """
    SELECT flow_id, kind, name, work, deliveries, give_up, owner FROM outbox
    WHERE flow_id = :flow_id AND kind = :kind AND name = :name"""
READY: Final = """
    SELECT flow_id, kind, name, work, deliveries, give_up FROM outbox
    WHERE owner IS NULL AND kind = :kind AND work = :work AND not_before_ms <= :at_ms
    ORDER BY number LIMIT :limit"""
IS_DUE: Final = """
    SELECT 1 FROM outbox
    WHERE owner IS NULL AND kind = :kind AND not_before_ms <= :at_ms LIMIT 1"""
SENT: Final = """
    UPDATE outbox SET sent_ms = :sent_ms, not_before_ms = :not_before_ms
    WHERE flow_id = :flow_id AND kind = :kind AND name = :name AND owner IS NULL"""
TAKE: Final = """
    UPDATE outbox SET owner = :owner, deliveries = deliveries + 1
    WHERE flow_id = :flow_id AND kind = :kind AND name = :name AND owner IS NULL"""
GIVE_BACK: Final = """
    UPDATE outbox SET owner = NULL, not_before_ms = :not_before_ms, sent_ms = 0,
        deliveries = deliveries - :uncounted
    WHERE flow_id = :flow_id AND kind = :kind AND name = :name"""
ANSWERED: Final = """
    DELETE FROM outbox
    WHERE flow_id = :flow_id AND kind = :kind AND name = :name AND owner = :owner"""
REMOVE_ORDER: Final = """
    DELETE FROM outbox WHERE flow_id = :flow_id AND kind = :kind AND name = :name"""
ASK_TO_GIVE_UP: Final = """
    UPDATE outbox SET give_up = 1
    WHERE flow_id = :flow_id AND kind = :kind AND name = :name"""
ORDERS_OF: Final = """
    SELECT flow_id, kind, name, work, deliveries, give_up FROM outbox
    WHERE owner = :owner ORDER BY number"""
ORDERS_IN: Final = """
    SELECT flow_id, kind, name, work, deliveries, give_up, owner FROM outbox
    WHERE flow_id = :flow_id ORDER BY number"""
ABANDONED: Final = """
    SELECT flow_id, kind, name, work, deliveries, give_up FROM outbox
    WHERE owner IS NOT NULL AND owner NOT IN
        (SELECT worker_id FROM workers WHERE boot = :boot AND until_ms > :now_ms)
    ORDER BY number LIMIT :limit"""
OLDEST_READY: Final = "SELECT MIN(since_ms) FROM outbox WHERE owner IS NULL AND kind <> 'ask'"
WAITING_WORKS: Final = """
    SELECT kind, work, COUNT(*) FROM outbox WHERE owner IS NULL AND kind <> 'ask'
    GROUP BY kind, work ORDER BY kind, work"""

# --- timers ---

PUT_TIMER: Final = """
    INSERT INTO timers (flow_id, timer, due_ms) VALUES (:flow_id, :timer, :due_ms)
    ON CONFLICT (flow_id, timer) DO UPDATE SET due_ms = excluded.due_ms"""
REMOVE_TIMER: Final = """
    DELETE FROM timers
    WHERE flow_id = :flow_id AND timer = :timer AND due_ms <= :due_by_ms"""
REMOVE_TIMERS: Final = "DELETE FROM timers WHERE flow_id = :flow_id"
DUE_TIMERS: Final = """
    SELECT flow_id, timer FROM timers WHERE due_ms <= :at_ms
    ORDER BY due_ms, flow_id, timer LIMIT :limit"""
NEXT_DUE: Final = "SELECT MIN(due_ms) FROM timers"
NEXT_READY: Final = """
    SELECT MIN(not_before_ms) FROM outbox WHERE not_before_ms > 0 AND not_before_ms > :at_ms"""

# --- workers ---

RENEW: Final = """
    INSERT INTO workers (worker_id, name, boot, until_ms, works)
    VALUES (:worker_id, :name, :boot, :until_ms, :works)
    ON CONFLICT (worker_id) DO UPDATE SET until_ms = excluded.until_ms"""
RETIRE: Final = "DELETE FROM workers WHERE worker_id = :worker_id"
WORKERS: Final = """
    SELECT worker_id, name, boot, until_ms, works FROM workers
    WHERE boot = :boot AND until_ms > :now_ms ORDER BY worker_id"""
BURY: Final = """
    DELETE FROM workers WHERE NOT (boot = :boot AND until_ms > :now_ms)
    AND worker_id NOT IN (SELECT owner FROM outbox WHERE owner IS NOT NULL)"""
