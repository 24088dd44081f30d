"""Any flow and any event, for tests that hold whatever happens.

Rule: everything is chosen through a `Choose`, so that one generator serves a seeded random
number generator (fast) and Hypothesis (which shrinks); `testing.strategies` is the latter.
"""
