"""What is true of a flow in every state that it can reach, within bounds.

`check(spec)` searches all states of a flow under an `Alphabet` of what work, people and the
host may do, and holds the built-in theorems and the user's own claims against each of them.

Rule: the rules of flows are asked of the reducer alone, event by event; nothing in this
package knows what an event means. Whatever is said of a flow is said within the bounds of
the search, which every result carries.
"""

from conductor_core.checking.alphabet import Alphabet, Ending, directed
from conductor_core.checking.check import Checked, Finding, Found, PredicateError, Surveyed, check
from conductor_core.checking.claims import Checks, decode_checks
from conductor_core.checking.defaults import default_alphabet, full_alphabet
from conductor_core.checking.gate import gate
from conductor_core.checking.properties import (
    TOTAL,
    AnswerError,
    History,
    Invariant,
    LeadsTo,
    OfState,
    OfTransition,
    Predicate,
    Property,
    Sometimes,
    Survey,
    always,
    eventually,
    leads_to,
    never,
    sometimes,
)
from conductor_core.checking.question import Progress, StoppedBy
from conductor_core.checking.reductions import Reductions
from conductor_core.checking.story import Story
from conductor_core.checking.strays import UNHEARD
from conductor_core.checking.theorems import THEOREMS
from conductor_core.checking.times import Timing

__all__ = [
    "THEOREMS",
    "TOTAL",
    "UNHEARD",
    "Alphabet",
    "AnswerError",
    "Checked",
    "Checks",
    "Ending",
    "Finding",
    "Found",
    "History",
    "Invariant",
    "LeadsTo",
    "OfState",
    "OfTransition",
    "Predicate",
    "PredicateError",
    "Progress",
    "Property",
    "Reductions",
    "Sometimes",
    "StoppedBy",
    "Story",
    "Survey",
    "Surveyed",
    "Timing",
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
