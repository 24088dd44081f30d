"""From a recorded log to the answer: what happened, what differs, what if, and what for.

Rule: nothing here carries a command out; a log is verified before anything is said of it.
"""
