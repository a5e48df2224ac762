"""What a caller may say about a write."""

from __future__ import annotations

from dataclasses import dataclass

from leeward.cluster.interface.client import Propagation


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Options of create, update and patch."""

    dry_run: bool = False
    user: str = "system:admin"
    field_manager: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """Options of delete, as in metav1.DeleteOptions."""

    grace_period_seconds: int | None = None
    propagation: Propagation | None = None
    orphan_dependents: bool | None = None  # the deprecated form of Orphan
    uid: str | None = None  # precondition
    resource_version: str | None = None  # precondition
    dry_run: bool = False
    user: str = "system:admin"
