"""What a command is told and what it says, in the two files of its dispatch.

Rule: what a command says is read as strictly as a fact, once its secrets are hidden, so that
neither what is recorded nor a word about what is wrong shows them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from conductor_adapters.masking import Secrets
from conductor_adapters.work import StepContext, StepFailure, StepResult
from conductor_core.codec import decode_event, loads
from conductor_core.errors import FormatError
from conductor_core.events import StepFinished

LARGEST_RESULT: Final = 1_000_000
RESULT_KEYS: Final = ("output", "subject", "noop", "directive", "policy")


def write_context(path: Path, context: StepContext) -> None:
    """Write what a command is told."""
    told = {
        "flow_id": context.flow_id,
        "attempt": context.attempt,
        "step": context.step,
        "input": context.input,
        "needs": context.needs,
        "subjects": context.subjects,
        "idempotency_key": context.idempotency_key,
        "retry": context.retry,
        "generation": context.generation,
        "timeout_ms": context.timeout_ms,
        "metadata": context.metadata,
    }
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def read_result(path: Path, printed: str, secrets: Secrets) -> StepResult:
    """Read what a command had to say; without a word of its own its output is what it printed."""
    try:
        told = _told(path, secrets)
        fact = decode_event(
            {"type": "step-finished", "at_ms": 0, "attempt": "", "outcome": "succeeded", **told}
        )
    except FormatError as error:
        message = secrets.hidden_in_text(str(error))
        raise StepFailure(f"CONDUCTOR_RESULT: {message}", type="bad-result") from None
    assert isinstance(fact, StepFinished), "that is what was decoded"
    return StepResult(
        output=fact.output if "output" in told else {"stdout": printed},
        subject=fact.subject,
        noop=fact.noop,
        directive=fact.directive,
        policy=fact.policy,
    )


def _told(path: Path, secrets: Secrets) -> dict[str, Any]:
    """The content of a result file; nothing if there is none."""
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        content = file.read(LARGEST_RESULT + 1)
    if len(content) > LARGEST_RESULT:
        raise FormatError("", f"larger than {LARGEST_RESULT:,} bytes")
    told = _read(content, secrets)
    if not isinstance(told, dict):
        raise FormatError("", "expected a mapping")
    for key in told.keys() - set(RESULT_KEYS):
        raise FormatError(key, f"unknown key, expected one of {', '.join(RESULT_KEYS)}")
    return {key: secrets.hidden_in_value(value) for key, value in told.items()}


def _read(content: bytes, secrets: Secrets) -> Any:
    try:
        return loads(content)
    except FormatError:
        # The message may show a part of a key, and with it a part of a secret.
        if secrets.hidden_in(content) != content:
            raise FormatError("", "not JSON as it should be; it holds a secret") from None
        raise
