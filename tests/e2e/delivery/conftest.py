"""One cluster for all tests of deliveries; each has environments of its own.

``LEEWARD_TEST_KUBECONFIG`` names the kubeconfig of an administrator of another cluster, which is then used as
it is: it has nodes that run Pods, or something that says so, and signs certificates for its API. Environments
that tests make there are taken away again, with their namespaces.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from leeward.base.clock import SystemClock
from leeward.delivery.records import ENVIRONMENTS
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access, load_access
from leeward.kube.status import NotFoundError
from tests.live import Leeward


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the kubeconfig of an administrator of a cluster that runs Pods, or says that it does."""
    other = os.environ.get("LEEWARD_TEST_KUBECONFIG")
    if other:
        with tidied(load_access(Path(other))):
            yield Path(other)
        return
    home = tmp_path_factory.mktemp("delivery")
    tool = Leeward(home / "home", home)
    tool.ok("cluster", "start", "--name", "hub", "--runtime", "simulated")
    yield home / "home" / "hub" / "kubeconfig"
    tool.run("cluster", "stop", "--name", "hub")


@pytest.fixture(scope="session")
def access(kubeconfig: Path) -> Access:
    """Return how to reach that cluster."""
    return load_access(kubeconfig)


@contextmanager
def tidied(access: Access) -> Iterator[None]:
    """Delete at the end the namespaces of environments that were not there at the beginning."""
    before = asyncio.run(_places(access))
    yield
    asyncio.run(_delete(access, asyncio.run(_places(access)) - before))


async def _places(access: Access) -> set[str]:
    """Return the namespaces that environments and their hubs have."""
    async with KubeClient(access) as api:
        try:
            found = await api.list(ENVIRONMENTS)
        except NotFoundError:  # nothing of leeward is there yet
            return set()
    hubs = {each["metadata"]["namespace"] for each in found}
    return hubs | {each["spec"]["namespace"] for each in found}


async def _delete(access: Access, names: set[str]) -> None:
    async with KubeClient(access) as api:
        for name in names:
            with suppress(NotFoundError):
                await api.delete("namespaces", "", name)
        for name in names:
            while await api.find("namespaces", "", name) is not None:
                await SystemClock().sleep(0.5)
