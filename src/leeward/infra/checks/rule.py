"""What a rule is: it looks at one cluster and all that is known around it, and yields findings.

A rule is pure. It says where in the spec the matter is, what is wrong, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from leeward.base.diagnostics import Severity
from leeward.compose.findings import ValuePath
from leeward.infra.fitting import ZoneLoss
from leeward.infra.lock import Lock
from leeward.infra.spec import ClusterSpec
from leeward.infra.workloads import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cluster and what is known around it."""

    spec: ClusterSpec  # without mistakes
    lock: Lock | None  # None: it was never rendered
    today: date
    others: Mapping[str, ClusterSpec] = field(default_factory=dict)  # the other clusters of the repository
    environments: Mapping[str, Sequence[Workload]] = field(default_factory=dict)  # what it hosts
    losses: Sequence[ZoneLoss] = ()  # one a zone
    modules: Mapping[str, str] = field(default_factory=dict)  # the repository's Terraform: path → text
    live: Mapping[str, int] = field(
        default_factory=dict
    )  # EKS node group → desired size now, as far as known

    @property
    def workloads(self) -> Iterator[tuple[str, Workload]]:
        """Yield everything that runs, with its environment."""
        for environment, found in sorted(self.environments.items()):
            for workload in found:
                yield environment, workload


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule found."""

    path: ValuePath  # in the spec; () for the cluster as a whole
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    id: str  # kebab-case; what a report and the documentation call it
    severity: Severity
    about: str  # one sentence: what must hold
    find: Callable[[Case], Iterator[Finding]]
