"""The core loads, and reduces, in the sandbox of Temporal's workflows, not passed through."""

from __future__ import annotations

import pytest
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from tests.adapters.sandboxed_core import SandboxedCore, SandboxedForms
from tests.adapters.temporal_flows import new_id, run, scene
from tests.services.temporal import Temporal

NOTHING = SandboxRestrictions.default
FOR_FORMS = NOTHING.with_passthrough_modules("attr", "attrs", "cattrs")
"""What makes readers and writers of records imports modules late, and keeps what it is at for its
thread; the sandbox bears neither."""


@pytest.mark.parametrize(
    ("kind", "restrictions"),
    [(SandboxedCore, NOTHING), (SandboxedForms, FOR_FORMS)],
    ids=["reducer", "wire-forms"],
)
def test_the_core_loads_in_the_sandbox(
    temporal: Temporal,
    kind: type[SandboxedCore | SandboxedForms],
    restrictions: SandboxRestrictions,
) -> None:
    """A workflow that is sandboxed may reduce; only ours has no need to be."""

    async def story() -> None:
        on = await scene(temporal.url)
        runner = SandboxedWorkflowRunner(restrictions=restrictions)
        async with Worker(on.client, task_queue=on.queue, workflows=[kind], workflow_runner=runner):
            ended = on.client.execute_workflow(kind.run, id=new_id("box"), task_queue=on.queue)
            assert await ended == "success"

    run(story())
