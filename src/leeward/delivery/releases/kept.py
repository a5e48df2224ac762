"""The releases of a hub: found by what people call them, and written once.

A release is called by its id, by the beginning of its digest, or by its version where only one has it.
"""

from __future__ import annotations

import builtins
from typing import Protocol

from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.api import Creates, Finds, Lists
from leeward.delivery.records import RELEASES, hub_of
from leeward.kube.objects import Obj
from leeward.kube.status import AlreadyExistsError, NotFoundError

_LEAST = 4  # digits of a digest that may stand for a release


class ReleasesApi(Finds, Lists, Creates, Protocol):
    """What releases need of a Kubernetes API."""


async def list_releases(api: ReleasesApi, app: str) -> builtins.list[Obj]:
    """Return the releases of an application, newest first; none where the cluster knows no releases."""
    try:
        found = await api.list(RELEASES, hub_of(app))
    except NotFoundError:
        return []
    return sorted(
        found,
        key=lambda obj: (obj["metadata"].get("creationTimestamp", ""), obj["metadata"]["name"]),
        reverse=True,
    )


async def find_release(api: ReleasesApi, app: str, called: str) -> Obj:
    """Return the release that somebody calls so.

    Raises:
        OperationError: there is none.
        UserInputError: there are several.
    """
    if (named := await api.find(RELEASES, hub_of(app), called)) is not None:
        return named
    every = await list_releases(api, app)
    for matches in (_by_version, _by_digits):
        found = [obj for obj in every if matches(obj, called)]
        if len(found) > 1:
            names = ", ".join(obj["metadata"]["name"] for obj in found)
            raise UserInputError(f"{called} is the name of several releases", remedy=f"Write one of {names}.")
        if found:
            return found[0]
    there = ", ".join(map(_named, every[:5]))
    raise OperationError(
        f"{app} has no release {called} on this cluster",
        remedy=f"It has: {there}." if there else "Make one with `leeward release create`.",
    )


async def add_release(api: ReleasesApi, app: str, release: Obj) -> tuple[Obj, bool]:
    """Write a release; returns what the hub has of it, and whether that is new.

    Raises:
        OperationError: another one has its name.
    """
    name = release["metadata"]["name"]
    try:
        return await api.create(RELEASES, release), True
    except AlreadyExistsError:
        there = await api.find(RELEASES, hub_of(app), name) or release
        if there["spec"].get("digest") != release["spec"]["digest"]:
            raise OperationError(f"another release is called {name}") from None
        return there, False


def _named(obj: Obj) -> str:
    version = obj["spec"].get("version")
    return f"{obj['metadata']['name']} ({version})" if version else str(obj["metadata"]["name"])


def _by_version(obj: Obj, called: str) -> bool:
    return bool(called and obj["spec"].get("version") == called)


def _by_digits(obj: Obj, called: str) -> bool:
    digits = called.removeprefix("sha256:")
    return len(digits) >= _LEAST and obj["spec"].get("digest", "").startswith(f"sha256:{digits}")
