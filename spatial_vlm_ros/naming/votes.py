"""What a thing is called, by the votes of all who looked at it."""

from __future__ import annotations

from dataclasses import dataclass

_KEPT = 0.95  # of what earlier votes weigh, at each new one: about the last 20 count
_NAMES = 16  # that votes are kept for; "unknown" is one


@dataclass
class _Tally:
    """The votes for one name: what they weigh by now, and how many there were."""

    weight: float = 0.0
    count: int = 0


class NameVotes:
    """Votes for the name of one thing.

    Each weighs as much as the voter is sure, 0..1; None votes for "unknown", like for a name. A
    thing has a name when it got at least ``least`` votes for it, they weigh as much as ``weight``
    votes that are sure, and it leads the next one, or unknown, by the share ``lead`` of all.
    So one lucky view names nothing, and a name that comes and goes does not either.

    A detector that looks once a second, at walking pace, sees a thing only a few times, and the
    scores of some are low where they are right (OWLv2: 0.2 to 0.4). That two views agree says more
    than a score: a larger ``weight`` leaves many more things without a name than it saves from a
    wrong one.
    """

    def __init__(self, least: int = 2, weight: float = 0.5, lead: float = 0.2) -> None:
        self._least, self._weight, self._lead = least, weight, lead
        self._tallies: dict[str | None, _Tally] = {}

    def add(self, name: str | None, score: float) -> None:
        """One more vote."""
        for tally in self._tallies.values():
            tally.weight *= _KEPT
        self._count(name, _Tally(min(max(score, 0.0), 1.0), 1))
        if len(self._tallies) > _NAMES:
            others = [known for known in self._tallies if known != name]
            del self._tallies[min(others, key=lambda known: self._tallies[known].weight)]

    def merge(self, other: NameVotes) -> None:
        """Take over the votes of what turned out to be the same thing."""
        for name, tally in other._tallies.items():
            self._count(name, tally)
        self._tallies = dict(self._ranked()[:_NAMES])

    @property
    def winner(self) -> tuple[str | None, float]:
        """The name, None while it has none; and its share of all votes, by weight."""
        ranked = self._ranked()
        total = sum(tally.weight for _, tally in ranked)
        if total <= 0:
            return None, 0.0
        (name, first), second = ranked[0], ranked[1][1].weight if len(ranked) > 1 else 0.0
        enough = first.count >= self._least and first.weight >= self._weight
        if name is not None and not (enough and first.weight - second >= self._lead * total):
            return None, 0.0
        return name, first.weight / total

    @property
    def called(self) -> bool:
        """Whether it has been called something, if too seldom for a name, rather than unknown."""
        ranked = self._ranked()
        return bool(ranked) and ranked[0][0] is not None

    def _count(self, name: str | None, more: _Tally) -> None:
        tally = self._tallies.setdefault(name, _Tally())
        tally.weight += more.weight
        tally.count += more.count

    def _ranked(self) -> list[tuple[str | None, _Tally]]:
        """The heaviest first."""
        return sorted(self._tallies.items(), key=lambda item: (-item[1].weight, item[0] or ""))
