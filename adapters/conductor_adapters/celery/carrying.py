"""What a Celery task does with a message: take the order it names, carry it out, answer.

Rule: a message is only a hint. What nobody waits for any more, or others have taken, is passed
over; what cannot be read is told and dropped, for the store knows all that is to be done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from conductor_adapters.celery.config import Config
from conductor_adapters.celery.post import Post
from conductor_adapters.celery.work_here import ENDS_PROCESS, WorkHere, is_from_outside, made_of
from conductor_adapters.store.errors import StoreError, UnknownFlow
from conductor_adapters.store.office import Taken
from conductor_adapters.store.protocol import Key
from conductor_adapters.work import HostFailure, StepFailure, step_error, unusable
from conductor_adapters.workers import checked_groups
from conductor_core import events
from conductor_core.commands import DispatchStep, GenerateSteps, RequestApproval
from conductor_core.errors import FormatError, LogError, shown

_logger = logging.getLogger("conductor_adapters.celery")


class Carrier:
    """Carries out orders in this process."""

    def __init__(self, config: Config, post: Post) -> None:
        self._config = config
        self._post = post

    def receive(self, kind: str, arguments: Sequence[object]) -> None:
        """Do what a message asks for, if there is still somebody who waits for it."""
        key = _key(kind, arguments)
        if key is None:
            _logger.error("a message is refused: %s names no order", shown(tuple(arguments)))
            return
        try:
            taken = self._post.take(key)
        except UnknownFlow as error:
            _logger.warning("a message is passed over: %s", error)
        except (StoreError, LogError) as error:
            _logger.warning("%s of flow %s is left for later: %s", key[2], key[0], error)
        else:
            if taken is not None:
                self._carry_out(taken)

    def _carry_out(self, taken: Taken) -> None:
        key, command = taken.order.key, taken.command
        try:
            match command:
                case DispatchStep():
                    self._step(taken, command)
                case GenerateSteps():
                    self._generate(key, command)
                case RequestApproval():
                    self._ask(key, command)
                case _:
                    raise AssertionError(f"nobody takes {command!r}")
        except LogError as error:
            _logger.warning("what became of %s of flow %s is lost: %s", key[2], key[0], error)

    def _step(self, taken: Taken, command: DispatchStep) -> None:
        work = WorkHere(taken, command)
        self._post.holds(work)
        handler = self._config.workers.handler(command.work)
        try:
            finished = work.carry_out(handler)
        except HostFailure as error:
            _logger.warning("work of flow %s was given back: %s", work.key[0], error)
            self._post.hand_back(work.key, put_off=True)
        except BaseException as error:
            if not is_from_outside(error):
                self._post.hand_back(work.key, put_off=False)
            raise
        else:
            try:
                self._post.answer(work.key, finished)
            except FormatError as error:
                self._post.answer(work.key, unusable(command.attempt, error))

    def _generate(self, key: Key, command: GenerateSteps) -> None:
        generator = self._config.workers.generator(command.flow_type)
        try:
            groups = checked_groups(made_of(generator(command)))
            self._post.answer(key, partial(events.GroupsGenerated, groups=groups))
        except LogError:
            raise
        except HostFailure as error:
            _logger.warning("the groups of flow %s were not made: %s", key[0], error)
            self._post.hand_back(key, put_off=True)
        except ENDS_PROCESS:
            self._post.hand_back(key, put_off=False)
            raise
        except BaseException as error:
            if is_from_outside(error):
                raise
            if not isinstance(error, StepFailure):
                _logger.warning("the generator of %s raised", key[0], exc_info=error)
            self._post.answer(key, partial(events.GenerationFailed, error=step_error(error)))

    def _ask(self, key: Key, command: RequestApproval) -> None:
        ask: Callable[[str, RequestApproval], None] | None = self._config.ask
        assert ask is not None, "questions are sent where somebody is to be told"
        try:
            ask(key[0], command)
        except ENDS_PROCESS:
            self._post.hand_back(key, put_off=False)
            raise
        except BaseException as error:
            if is_from_outside(error):
                raise
            _logger.exception("nobody could be told of the approval of %s", command.attempt)
        self._post.drop(key)


def _key(kind: str, arguments: Sequence[object]) -> Key | None:
    """The order that a message names; None where it names none."""
    match arguments:
        case [str() as flow_id, str() as name]:
            return flow_id, kind, name
        case _:
            return None
