"""Until when a worker holds what it has taken, by a clock that nobody sets.

Rule: a lease is renewed when a third of it has passed. Who comes to that so late that others may
have been held up as well takes nobody for gone before another lease has passed.
"""

from __future__ import annotations

from collections.abc import Callable


class Lease:
    """The lease of one worker, in milliseconds of the clock of the boot."""

    def __init__(self, lease_ms: int, clock_ms: Callable[[], int]) -> None:
        self.lease_ms = lease_ms
        self._clock_ms = clock_ms
        self._until_ms = -1
        self._patient_until_ms = -1
        self._ended = False

    def begin(self) -> None:
        """Count from now on: who waits for its store for too long has been held up."""
        self._until_ms = self._clock_ms() + self.lease_ms

    def now_ms(self) -> int:
        """The time by its clock."""
        return self._clock_ms()

    def is_due(self) -> bool:
        """Whether it is time to renew."""
        return not self._ended and self._clock_ms() >= self._until_ms - 2 * self.lease_ms // 3

    def renewed_ms(self) -> int:
        """Until when it holds if it is renewed now."""
        now_ms = self._clock_ms()
        until_ms = now_ms + self.lease_ms
        if now_ms > self._until_ms - self.lease_ms // 3:
            # What held this one up held up others too, who shall have time to say they live.
            self._patient_until_ms = until_ms
        return until_ms

    def holds_until(self, until_ms: int) -> None:
        """It was renewed, for good."""
        self._until_ms = until_ms

    def is_patient(self) -> bool:
        """Whether nobody is to be taken for gone just now."""
        return self._clock_ms() < self._patient_until_ms

    def end(self) -> None:
        """Renew no more."""
        self._ended = True
