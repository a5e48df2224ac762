"""Brings to a cluster what it has to know to keep releases: definitions, policies, namespaces.

What is there as it should be is left alone, so that who may only read can go on where others have installed.
"""

from __future__ import annotations

from typing import Any, Protocol

from leeward.base.clock import Clock, SystemClock, within
from leeward.base.errors import OperationError
from leeward.delivery.api import Applies, Creates, Finds, Lists
from leeward.delivery.definitions import definitions, policies
from leeward.delivery.records import ENVIRONMENTS
from leeward.kube.objects import Obj, is_condition_true
from leeward.kube.resources import CRDS, resource_of_kind
from leeward.kube.status import AlreadyExistsError, ForbiddenError, NotFoundError

_SECONDS = 30.0  # until a definition is served
_POLL = 0.1


class InstallApi(Finds, Lists, Creates, Applies, Protocol):
    """What installing needs of a Kubernetes API."""


async def ensure_definitions(api: InstallApi, clock: Clock | None = None) -> None:
    """Install the custom resources and the policies, and wait until they are served.

    Who may not install them goes on with those that are there.

    Raises:
        OperationError: there are none and the caller may not install them, or they are not served in time.
    """
    try:
        for obj in (*definitions(), *policies()):
            await _ensure(api, obj)
    except ForbiddenError as error:
        if not await _is_served(api):
            raise OperationError(
                f"the cluster does not know leeward's resources yet, and you may not install them: {error}",
                remedy="Let an administrator of the cluster run `leeward env apply` once.",
            ) from error
        return
    names = [obj["metadata"]["name"] for obj in definitions()]
    clock = clock or SystemClock()
    try:
        await within(clock, _SECONDS, _served(api, clock, names))
    except TimeoutError:
        raise OperationError(
            f"the cluster does not serve the resources of leeward after {_SECONDS:.0f} s",
            remedy="See what is against it: kubectl describe crd environments.leeward.dev",
        ) from None


async def ensure_namespace(api: InstallApi, name: str) -> None:
    """Make a namespace where there is none."""
    if await api.find("namespaces", "", name) is None:
        obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            await api.create("namespaces", obj)
        except AlreadyExistsError:
            return


async def _ensure(api: InstallApi, desired: Obj) -> None:
    found = resource_of_kind(desired["apiVersion"], desired["kind"])
    assert found is not None, desired["kind"]
    live = await api.find(found.name, "", desired["metadata"]["name"])
    if live is None or not holds(live["spec"], desired["spec"]):
        await api.apply(found.name, desired, force=True)


async def _is_served(api: InstallApi) -> bool:
    try:
        await api.list(ENVIRONMENTS, "default")
    except NotFoundError:
        return False
    except ForbiddenError:
        return True
    return True


async def _served(api: InstallApi, clock: Clock, names: list[str]) -> None:
    for name in names:
        while not is_condition_true(await api.find(CRDS, "", name) or {}, "Established"):
            await clock.sleep(_POLL)


def holds(live: Any, desired: Any) -> bool:
    """Tell whether `live` is `desired`, or that with what the API server adds to it."""
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(holds(live.get(key), each) for key, each in desired.items())
    if not desired and not live:
        return True
    if isinstance(desired, list):
        same = isinstance(live, list) and len(live) == len(desired)
        return same and all(map(holds, live, desired))
    return bool(live == desired)
