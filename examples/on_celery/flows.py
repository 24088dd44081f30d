"""A Celery app that runs flows whose steps are commands, as that in examples/release is.

celery -A examples.on_celery.flows worker
conductor celery relay examples.on_celery.flows:conductor
"""

from __future__ import annotations

import os

from celery import Celery

from conductor_adapters.celery import ConductorApp
from conductor_adapters.shell import Shell

app = Celery("flows", broker=os.environ["BROKER_URL"])
app.conf.worker_prefetch_multiplier = 1
conductor = ConductorApp(app, os.environ["CONDUCTOR_STORE"], {"shell": Shell()})
