"""A version of a kind that is not the stored one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leeward.cluster.registry.failures import Failure
from leeward.kube.objects import Obj


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """How objects of a version are read and written. Its functions are pure."""

    resource: str  # that is stored, such as "events"
    api_version: str
    to_stored: Callable[[Obj], Obj]
    from_stored: Callable[[Obj], Obj]
    default: Callable[[Obj], Obj]  # fills in a new object of this version
    validate_create: Callable[[Obj], list[Failure]] | None = None  # of a new, stored object, instead
