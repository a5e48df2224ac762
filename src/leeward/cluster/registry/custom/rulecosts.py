"""What the rules of a definition may cost: each of them, and all together.

A rule in a list costs as often as the list has members; where nothing bounds it, as often as members fit a
request.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/{validation,cel_validation}.go
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from leeward.cluster.cel.ranges import MOST
from leeward.cluster.cel.sizes import REQUEST, Size
from leeward.cluster.registry.custom.structure import Schema
from leeward.cluster.registry.failures import Failure, forbidden

_RULE_LIMIT, _TOTAL_LIMIT = 10_000_000, 100_000_000
_NAMED = 4  # of the most expensive rules


@dataclass(slots=True)
class Costs:
    """The costs of a schema's rules so far."""

    path: str  # of the schema
    _total: int = 0
    _found: list[tuple[int, str]] = field(default_factory=list)

    def failures(self, what: str, path: str, cost: int) -> Iterator[Failure]:
        """Count an expression; returns what is to be said of it alone."""
        self._total = min(self._total + cost, MOST)
        self._found.append((cost, path))
        if cost > _RULE_LIMIT:
            yield forbidden(path, _exceeds(f"estimated {what} cost", cost, _RULE_LIMIT))

    def total_failures(self) -> Iterator[Failure]:
        """Return what is to be said of all together."""
        if self._total <= _TOTAL_LIMIT:
            return
        told = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        dear = sorted(
            (each for each in self._found if each[0] >= _TOTAL_LIMIT // 100), key=lambda each: -each[0]
        )
        yield from (forbidden(path, told) for _, path in dear[:_NAMED])
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        yield forbidden(self.path, _exceeds(what, self._total, _TOTAL_LIMIT))


def repeated(cost: int, times: int | None, size: Size) -> int:
    """Return the cost of a rule that is asked many times.

    Args:
        cost: of asking it once.
        times: how often there is a value; None: nothing bounds that.
        size: of a value.
    """
    return min(cost * (REQUEST // (size.written + 1) if times is None else times), MOST)


def times_below(schema: Schema, times: int | None) -> int | None:
    """Return how often there is a value below one that is there `times`; None: nothing bounds that."""
    bound: int | None = 1
    if schema.get("type") == "array":
        bound = schema.get("maxItems")
    elif schema.get("type") == "object" and schema.get("additionalProperties"):
        bound = schema.get("maxProperties")
    return None if times is None or bound is None else min(times * max(bound, 0), MOST)


def _exceeds(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    shown = "more than 100x" if factor > 100 else shown
    return (
        f"{what} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, "
        "maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
