"""What a caller may say about a write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.cluster.interface.client import Propagation
from leeward.cluster.interface.user import User


def _unheard(warning: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Options of create, update and patch."""

    dry_run: bool = False
    user: User = field(default_factory=lambda: User("system:admin"))
    warn: Callable[[str], None] = _unheard  # tells the client something
    attended: bool = False  # the caller waits where a write has to
    field_manager: str = ""  # who owns what is written; "": it is not tracked
    api_version: str = ""  # of the request; "": the stored one
    component: bool = False  # the writer is a component of the cluster, which writes often
    managed: Sequence[Mapping[str, Any]] | None = None  # managedFields, where they are decided already

    @property
    def is_heard(self) -> bool:
        """Whether somebody wants warnings."""
        return self.warn is not _unheard


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """Options of delete, as in metav1.DeleteOptions."""

    grace_period_seconds: int | None = None
    propagation: Propagation | None = None
    orphan_dependents: bool | None = None  # the deprecated form of Orphan
    uid: str | None = None  # precondition
    resource_version: str | None = None  # precondition
    dry_run: bool = False
    user: User = field(default_factory=lambda: User("system:admin"))
    warn: Callable[[str], None] = _unheard  # tells the client something
    attended: bool = False  # the caller waits where a write has to
