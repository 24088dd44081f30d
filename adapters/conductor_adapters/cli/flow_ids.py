"""The id of a flow that nobody named.

Rule: no other flow has it, since it goes into every idempotency key; people can read it.
"""

from __future__ import annotations

import re
import secrets
import time

from conductor_core.spec import FlowSpec


def made_up_id(spec: FlowSpec) -> str:
    """An id that no other run has: it goes into every idempotency key."""
    kind = re.sub(r"[^A-Za-z0-9_.-]+", "-", spec.type).strip("-_.")[:64] or "flow"
    return f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
