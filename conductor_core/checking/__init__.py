"""What is true of a flow in every state that it can reach, within bounds.

`check(spec)` searches all states of a flow under an `Alphabet` of what work, people and the
host may do, and holds the built-in theorems and the user's own claims against each of them.

Rule: the rules of flows are asked of the reducer alone, event by event; nothing in this
package knows what an event means. Whatever is said of a flow is said within the bounds of
the search, which every result carries.
"""

from conductor_core.checking.alphabet import Alphabet, Ending, directed
from conductor_core.checking.check import Checked, Finding, PredicateError, check
from conductor_core.checking.claims import Checks, decode_checks
from conductor_core.checking.defaults import default_alphabet, full_alphabet
from conductor_core.checking.gate import gate
from conductor_core.checking.properties import (
    TOTAL,
    History,
    Property,
    always,
    eventually,
    leads_to,
    never,
    sometimes,
)
from conductor_core.checking.reductions import Reductions
from conductor_core.checking.story import Story
from conductor_core.checking.strays import UNHEARD
from conductor_core.checking.theorems import THEOREMS

__all__ = [
    "THEOREMS",
    "TOTAL",
    "UNHEARD",
    "Alphabet",
    "Checked",
    "Checks",
    "Ending",
    "Finding",
    "History",
    "PredicateError",
    "Property",
    "Reductions",
    "Story",
    "always",
    "check",
    "decode_checks",
    "default_alphabet",
    "directed",
    "eventually",
    "full_alphabet",
    "gate",
    "leads_to",
    "never",
    "sometimes",
]
