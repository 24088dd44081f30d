"""Hosts and command line for `conductor_core`: everything that touches the world.

Rule: nothing here decides what a flow does next; that is the core's business alone.
"""

from __future__ import annotations

import logging

# A library speaks only to who listens.
logging.getLogger(__name__).addHandler(logging.NullHandler())
