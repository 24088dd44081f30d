"""Every statement of a store, in SQL that SQLite and PostgreSQL share.

Rule: parameters are named `:name`. What the two say differently is what DIALECT is for:
how a transaction begins that will write, how the rows of a list are meant, how a free row is
taken while others look for one too.

flows      one row a flow: how many entries it has, and where its log stands
entries    the lines of the logs, the header as number 0; never changed
snapshots  the last state that was put aside; a cache
orders     what is to be done and was not answered; `until_ms` is the end of its lease
timers     what is to fire
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = (
    """
    CREATE TABLE flows (
        flow_id TEXT PRIMARY KEY,
        seq BIGINT NOT NULL,
        digest TEXT NOT NULL,
        since BIGINT NOT NULL,
        look BIGINT NOT NULL,
        status TEXT NOT NULL,
        created_ms BIGINT NOT NULL,
        latest_ms BIGINT NOT NULL
    )""",
    "CREATE INDEX flows_by_status ON flows (status, flow_id)",
    """
    CREATE TABLE entries (
        flow_id TEXT NOT NULL,
        seq BIGINT NOT NULL,
        lines TEXT NOT NULL,
        PRIMARY KEY (flow_id, seq)
    )""",
    """
    CREATE TABLE snapshots (
        flow_id TEXT PRIMARY KEY,
        seq BIGINT NOT NULL,
        digest TEXT NOT NULL,
        since BIGINT NOT NULL,
        look BIGINT NOT NULL,
        state TEXT NOT NULL
    )""",
    """
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        flow_id TEXT NOT NULL,
        name TEXT NOT NULL,
        queue TEXT NOT NULL,
        command TEXT NOT NULL,
        owner TEXT NOT NULL DEFAULT '',
        until_ms BIGINT NOT NULL DEFAULT 0,
        deliveries BIGINT NOT NULL DEFAULT 0,
        given_up BIGINT NOT NULL DEFAULT 0,
        UNIQUE (flow_id, name)
    )""",
    "CREATE INDEX orders_by_queue ON orders (queue, until_ms, id)",
    "CREATE INDEX orders_by_owner ON orders (owner)",
    """
    CREATE TABLE timers (
        flow_id TEXT NOT NULL,
        timer TEXT NOT NULL,
        due_ms BIGINT NOT NULL,
        PRIMARY KEY (flow_id, timer)
    )""",
    "CREATE INDEX timers_by_time ON timers (due_ms)",
)
"""The tables of a store, in the version that a new one gets."""

# --- flows and their logs ---

CREATE_FLOW: Final = """
    INSERT INTO flows (flow_id, seq, digest, since, look, status, created_ms, latest_ms)
    VALUES (:flow_id, 0, :digest, :since, :look, 'pending', :at_ms, :at_ms)
    ON CONFLICT (flow_id) DO NOTHING"""
MOVE_FLOW_ON: Final = """
    UPDATE flows
    SET seq = :to_seq, digest = :digest, since = :since, look = :look, status = :status,
        latest_ms = :at_ms
    WHERE flow_id = :flow_id AND seq = :from_seq"""
"""Compare and append: it changes a row only where nobody else has appended meanwhile."""
ADD_ENTRY: Final = "INSERT INTO entries (flow_id, seq, lines) VALUES (:flow_id, :seq, :lines)"
FLOW: Final = """
    SELECT flow_id, seq, status, created_ms, latest_ms FROM flows WHERE flow_id = :flow_id"""
FLOWS: Final = """
    SELECT flow_id, seq, status, created_ms, latest_ms FROM flows ORDER BY flow_id"""
FLOWS_OF_STATUS: Final = """
    SELECT flow_id, seq, status, created_ms, latest_ms FROM flows
    WHERE status = :status ORDER BY flow_id"""
ENTRIES: Final = """
    SELECT seq, lines FROM entries WHERE flow_id = :flow_id AND seq > :after ORDER BY seq"""

# --- snapshots ---

SNAPSHOT: Final = "SELECT seq, digest, since, look, state FROM snapshots WHERE flow_id = :flow_id"
KEEP_SNAPSHOT: Final = """
    INSERT INTO snapshots (flow_id, seq, digest, since, look, state)
    VALUES (:flow_id, :seq, :digest, :since, :look, :state)
    ON CONFLICT (flow_id) DO UPDATE
    SET seq = excluded.seq, digest = excluded.digest, since = excluded.since,
        look = excluded.look, state = excluded.state"""

# --- orders ---

ADD_ORDER: Final = """
    INSERT INTO orders (flow_id, name, queue, command)
    VALUES (:flow_id, :name, :queue, :command)
    ON CONFLICT (flow_id, name) DO NOTHING"""
ANSWER_ORDER: Final = "DELETE FROM orders WHERE flow_id = :flow_id AND name = :name"
GIVE_ORDER_UP: Final = """
    UPDATE orders SET given_up = 1 WHERE flow_id = :flow_id AND name = :name"""
GIVE_ORDERS_UP: Final = """
    UPDATE orders SET given_up = 1 WHERE flow_id = :flow_id AND until_ms > :now_ms"""
DROP_ORDERS: Final = "DELETE FROM orders WHERE flow_id = :flow_id AND until_ms <= :now_ms"
FREE_ORDERS: Final = """
    SELECT id, flow_id, name, queue, command, deliveries, given_up FROM orders
    WHERE queue = :queue AND until_ms <= :now_ms ORDER BY until_ms, id LIMIT :limit"""
TAKE_ORDER: Final = """
    UPDATE orders SET owner = :owner, until_ms = :until_ms, deliveries = deliveries + 1
    WHERE id = :id"""
RENEW_ORDER: Final = """
    UPDATE orders SET until_ms = :until_ms WHERE id = :id AND owner = :owner"""
ORDERS_OF_OWNER: Final = "SELECT id, given_up FROM orders WHERE owner = :owner"
GIVE_ORDER_BACK: Final = """
    UPDATE orders SET owner = '', until_ms = 0 WHERE id = :id AND owner = :owner"""
DISCARD_ORDER: Final = "DELETE FROM orders WHERE id = :id AND owner = :owner"

# --- timers ---

SET_TIMER: Final = """
    INSERT INTO timers (flow_id, timer, due_ms) VALUES (:flow_id, :timer, :due_ms)
    ON CONFLICT (flow_id, timer) DO UPDATE SET due_ms = excluded.due_ms"""
CLEAR_TIMER: Final = "DELETE FROM timers WHERE flow_id = :flow_id AND timer = :timer"
CLEAR_TIMERS: Final = "DELETE FROM timers WHERE flow_id = :flow_id"
DUE_TIMERS: Final = """
    SELECT flow_id, timer FROM timers WHERE due_ms <= :now_ms
    ORDER BY due_ms, flow_id, timer LIMIT :limit"""
NEXT_TIMER: Final = "SELECT MIN(due_ms) FROM timers"
