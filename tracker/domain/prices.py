"""What models cost, as the user has said (`--prices`): nobody else knows it. By these the cost of
what was told without one is estimated (docs/contract.md, "Telemetry")."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from tracker.domain.limits import MAX_COST_USD
from tracker.domain.usage import MICROS, Told

# Models whose price was looked up; more names are an agent gone wild.
_MOST_KNOWN: Final = 1000


class Price(NamedTuple):
    """Dollars for a million tokens, which is millionths of a dollar for one. Those of the cache are
    as other input where they are not given."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None

    def of(self, told: Told) -> int:
        """Of so many tokens, in millionths of a dollar."""
        tokens = told.amounts
        read_ = self.input if self.cache_read is None else self.cache_read
        written = self.input if self.cache_write is None else self.cache_write
        micros = (
            tokens.input_tokens * self.input
            + tokens.output_tokens * self.output
            + tokens.cache_read_tokens * read_
            + tokens.cache_write_tokens * written
        )
        return min(round(micros), MAX_COST_USD * MICROS)


class Prices:
    """A table of prices by names of models, in which `*` stands for anything. Upper and lower case
    are the same; of several names that match, the longest counts."""

    def __init__(self, table: Mapping[str, Price]) -> None:
        names = sorted(table, key=lambda name: (-len(name), name))
        self._table = [(name.lower(), table[name]) for name in names]
        self._known: dict[str, Price | None] = {}

    def estimated(self, model: str, told: Told) -> Told:
        """With what it is estimated to cost; nothing where the cost was told, or is in no table."""
        if not self._table:
            return told
        price = None if told.cost_micros is not None or not model else self._of(model)
        return told._replace(estimated_micros=None if price is None else price.of(told))

    def _of(self, model: str) -> Price | None:
        if model not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            name = model.lower()
            found = (price for pattern, price in self._table if fnmatchcase(name, pattern))
            self._known[model] = next(found, None)
        return self._known[model]


NO_PRICES: Final = Prices({})
