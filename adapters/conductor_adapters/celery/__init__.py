"""Runs flows on the task queue that people already run: Celery, with any of its brokers.

Theory of operation
-------------------
There is no central process. A *message* in the broker names an order in the store (an attempt, a
making of groups, a question), and each worker that gets one takes the order, carries it out and
answers: it reduces the flow in a transaction, with the entry of the log and the orders that follow
from it, and then sends messages for these. Every step is one flat task; joins, retries and cancels
are the reducer's, so that no chord can hang and no cancel can miss.

*The broker may lose everything.* What is not done yet is in the store, and a *relay*, one in each
worker, sends again what nobody took. It also fires timers and makes up for workers that died, so
that neither beat nor a result backend is needed.

*At least once, effect once.* A message may come twice, late, or after its order is done: only who
takes the order in the store begins, and only who holds it is heard. A process that dies loses its
lease, and after that its orders begin again, or fail where they must not run twice unseen (S14.3).

*Acknowledged at once.* Tasks are acknowledged when a process begins with them and not at their
end: the lease does what a late acknowledgement is for, and neither a visibility timeout (Redis) nor
a consumer timeout (RabbitMQ) can hit a step that takes long.

Rule: nothing here decides what a flow does next, and nothing a broker says is believed.
"""

from importlib.util import find_spec

if find_spec("celery") is None:
    raise ModuleNotFoundError(
        "flows on Celery need the celery extra: pip install 'conductor-core[celery]'",
        name="celery",
    )

from conductor_adapters.celery.app import ConductorApp
from conductor_adapters.celery.client import CeleryClient
from conductor_adapters.celery.relay import Relay
from conductor_adapters.routes import Owner, Route

__all__ = ["CeleryClient", "ConductorApp", "Owner", "Relay", "Route"]
