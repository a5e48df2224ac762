"""The way of releases as people go it, with the command line: gates, somebody else's consent, back again.

On an embedded cluster that is started for each test, or on that of ``LEEWARD_TEST_KUBECONFIG``.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.cli.people import certified
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access, load_access, load_kubeconfig
from tests.e2e.delivery.conftest import tidied
from tests.e2e.delivery.people import write_contexts
from tests.live import NEEDS_KUBECTL, Kubectl, Leeward

pytestmark = [pytest.mark.e2e, NEEDS_KUBECTL]
_COMPOSE = """\
name: pets
services:
  web:
    image: registry.example.com/web@sha256:{digest}
    environment: {{GREETING: hello, DB_PASSWORD: "${{DB_PASSWORD:-}}"}}
    expose: ["8000"]
    healthcheck: {{test: ["CMD", "true"]}}
"""
_CONFIG = """\
app: pets
environments:
  ci: {}
  production: {from: ci, approvals: 1, access: {devops: promote}}
"""
_OTHER = os.environ.get("LEEWARD_TEST_KUBECONFIG")


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Leeward]:
    (tmp_path / "work").mkdir()
    leeward = Leeward(tmp_path / "home", tmp_path / "work")
    leeward.write("leeward.yaml", _CONFIG)
    leeward.write("compose.yaml", _COMPOSE.format(digest="1" * 64))
    if _OTHER:
        context = load_kubeconfig(Path(_OTHER))["current-context"]
        leeward.write("leeward.yaml", f"{_CONFIG}clusters: {{local: {{context: {context}}}}}\n")
        monkeypatch.setenv("KUBECONFIG", _OTHER)
        with tidied(load_access(Path(_OTHER))):
            yield leeward
        return
    leeward.ok("cluster", "start", "--runtime", "simulated")
    yield leeward
    leeward.run("cluster", "delete", "--yes")


def kubeconfig_of(tool: Leeward) -> Path:
    return Path(_OTHER) if _OTHER else tool.home / "local" / "kubeconfig"


def let_in(tool: Leeward, name: str, group: str) -> Path:
    """Return a kubeconfig with a context of somebody in a group."""
    if not _OTHER:
        return tool.write(f"{name}.kubeconfig", tool.ok("kubeconfig", "--user", name, "--group", group))

    async def ask() -> Access:
        async with KubeClient(load_access(kubeconfig_of(tool))) as admin:
            return await certified(admin, name, [group])

    path = tool.directory / f"{name}.kubeconfig"
    write_contexts(path, {name: asyncio.run(ask())})
    return path


def test_a_release_goes_its_way_and_back(tool: Leeward) -> None:
    tool.ok("env", "apply", "--yes")
    for name in ("ci", "production"):
        tool.ok("env", "set", "DB_PASSWORD=s3cret-word", "--env", name)
    tool.ok("release", "create", "--version", "1")
    assert "up after" in tool.ok("promote", "--to", "ci", "--yes")
    refused = tool.run("promote", "--to", "production", "--yes")
    assert refused.returncode == 1
    assert "production wants 1 person to approve" in refused.stderr

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(let_in(tool, "dora", "devops")))
        assert "dora approves" in tool.ok("approve", "1", "--for", "production", "--context", "dora", "--yes")
        tool.ok("promote", "--to", "production", "--context", "dora", "--yes")

    tool.write("compose.yaml", _COMPOSE.format(digest="2" * 64).replace("hello", "good day"))
    tool.ok("release", "create", "--version", "2")
    shown = tool.ok("promote", "2", "--to", "ci", "--yes")
    assert "web: environment GREETING hello → good day" in shown
    different = tool.run("diff", "production", "ci")
    assert (different.returncode, "GREETING" in different.stdout) == (1, True)
    tool.ok("rollback", "ci", "--yes")
    assert "the same" in tool.ok("diff", "1", "1")

    kubectl = Kubectl(kubeconfig_of(tool), "pets-ci")
    kubectl.ok("scale", "deployment", "web", "--replicas=3")
    drifted = tool.run("drift", "ci")
    assert (drifted.returncode, "replicas" in drifted.stdout) == (1, True)
    assert "all good" in tool.ok("audit", "verify")
    assert "ci-00003" in tool.ok("history", "ci")
    everything = kubectl.ok("get", "releases,promotions,environments,auditrecords", "-A", "-o", "yaml")
    assert "s3cret-word" not in everything


_WRONG = (
    (("promote", "--to", "prodution"), "there is no environment 'prodution'"),
    (("promote",), "where to?"),
    (("approve", "--for", "ci"), "does not know the environment ci yet"),
    (("rollback", "ci", "--yes"), "does not know the environment ci yet"),
    (("drift", "ci"), "does not know the environment ci yet"),
    (("diff", "1", "ci"), "is neither an environment nor a release"),
    (("release", "create", "--image", "wbe=x@sha256:" + "1" * 64), "wbe"),
    (("promote", "--to", "ci", "--cluster", "other"), "cluster 'other'"),
)


@pytest.mark.skipif(bool(_OTHER), reason="it is about the embedded cluster, which has no kubeconfig to name")
def test_what_is_wrong_is_told_and_nothing_is_done(tool: Leeward) -> None:
    for arguments, told in _WRONG:
        done = tool.run(*arguments)
        assert done.returncode in (1, 2), arguments
        assert told in done.stderr
        assert "Traceback" not in done.stderr
