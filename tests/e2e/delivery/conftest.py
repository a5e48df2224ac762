"""One cluster for all tests of deliveries; each has environments of its own.

``LEEWARD_TEST_KUBECONFIG`` names the kubeconfig of another cluster, which is then used as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.kube.kubeconfig import Access, load_access
from tests.live import Leeward


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the kubeconfig of an administrator of a cluster that runs Pods, or says that it does."""
    other = os.environ.get("LEEWARD_TEST_KUBECONFIG")
    if other:
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
