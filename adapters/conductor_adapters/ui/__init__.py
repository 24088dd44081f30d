"""The flows of a store in a browser, live: what `conductor ui` serves.

Rule: it looks and asks like any other client, does none of the work, and serves this machine
alone. `messages` and `server` speak HTTP, `gate` says who may, `site` answers, `feed` and
`listing` look at the store, `asking` puts requests to flows, and `pages` writes the pages.
"""
