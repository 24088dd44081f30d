"""The reference pages, made from what runs: `python -m docs.generating` writes them.

Rule: nothing on these pages is written by hand. What a page says stands in the docstrings, the
schemas, the tables and the commands of the project, and a test demands that the pages are what
this package makes of them.
"""
