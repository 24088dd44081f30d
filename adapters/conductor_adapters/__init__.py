"""Hosts and command line for `conductor_core`: everything that touches the world.

Rule: nothing here decides what a flow does next; that is the core's business alone.
"""
