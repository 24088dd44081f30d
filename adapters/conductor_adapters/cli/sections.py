"""What the commands are for, in the order in which people meet them.

Rule: every command stands in one section, with what it does in a few words that fit a line, so
that `conductor --help` imports none of them.
"""

from __future__ import annotations

from typing import Final

SECTIONS: Final = {
    "Write, test and check flows": {
        "init": "write a first flow file, with comments",
        "schema": "print the JSON Schema of flow, scenario or checks files",
        "scenario": "test flows with scenarios, in virtual time",
        "check": "look at every state that a flow can reach",
    },
    "Run flows": {
        "run": "run a flow here, or go on with the run of a log",
        "start": "start a flow in a store, and leave its work to workers",
        "worker": "do the work of the flows in a store",
        "celery": "look after flows that run on Celery workers",
        "temporal": "run flows on a Temporal cluster",
    },
    "Look at flows": {
        "ui": "show flows in a browser as they go on, and answer them",
        "list": "list the flows of a store",
        "status": "say in short where a flow is, and what people are asked",
        "watch": "write a line for everything that happens to a flow",
        "wait": "wait for the end of a flow",
        "log": "write the log of a flow",
        "explain": "say why a flow waits, who can help, and what a file will do",
        "graph": "draw a flow: Mermaid, Graphviz or SVG",
    },
    "Answer flows": {
        "approve": "approve what a step planned",
        "deny": "refuse what a step planned; the flow stops",
        "retry-plan": "have a step plan again, and ask again",
        "skip-current": "go on without what a step planned",
        "approval-option": "have people asked from now on, or take all as approved",
    },
    "Change flows that run": {
        "retry": "retry a step that failed",
        "retry-now": "retry a step now, without the rest of its wait",
        "retry-group": "retry a group that failed, as a whole",
        "skip": "skip a step that failed, and go on",
        "rerun": "retry or skip a step, with all that can be said of it",
        "append": "add groups at the end of a flow",
        "pause": "hold a flow: what runs goes on, nothing new starts",
        "resume": "let a paused flow go on",
        "cancel": "cancel a flow, for good",
    },
    "Debug recorded flows": {
        "replay": "verify logs by running their events again",
        "what-if": "play a log on from an entry with other events",
        "diff": "tell how two logs differ, or what two flow files allow",
        "shrink": "make a log as small as it gets that still shows something",
        "html": "write a page of a log, or of two side by side",
        "export": "write a log as OpenTelemetry spans, CloudEvents or CDEvents",
    },
    "Keep stores": {
        "import": "take the log of a flow into a store",
        "backup": "copy a store while it is in use",
        "vacuum": "remove flows that ended some time ago",
    },
    "Shell": {
        "completion": "print the script that completes commands in a shell",
    },
}
"""The title of each section, its commands, and what each of them does."""
