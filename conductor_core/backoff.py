"""How long to wait before a retry: pure, repeatable, spread out between flows (S2.2)."""

from __future__ import annotations

from conductor_core.events import StepError
from conductor_core.spec import RetryPolicy


def backoff_ms(policy: RetryPolicy, n: int, token: str, error: StepError | None) -> int:
    """The wait before retry `n` (from 1); `token` names the flow and what is new."""
    waits = policy.backoff_ms
    wait = waits[min(n, len(waits)) - 1] if waits else 0
    if policy.jitter and wait:
        from hashlib import sha256  # noqa: PLC0415 - slow to import

        half = wait // 2
        drawn = int.from_bytes(sha256(token.encode()).digest()[:8], "big")
        wait = half + drawn % (wait - half + 1)
    asked = error.retry_after_ms if error is not None else None
    return max(wait, asked or 0)
