"""Hypothesis runs as the profile in force says (see `profiles`)."""

from __future__ import annotations

from property_tests import profiles

profiles.load()
