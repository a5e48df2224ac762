"""Environments that leave their cluster, with the command line: found, asked about, taken off, and told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.cli.main import run
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj
from tests.e2e.delivery.people import write_contexts

pytestmark = pytest.mark.e2e
APP = "leaving"
CONFIG = """
app: leaving
environments:
  ci: {cluster: there}
  qa: {cluster: there, from: ci}
  demo: {cluster: there, from: qa, namespace: leaving-show}
clusters:
  there: {context: admin}
"""
WITHOUT_DEMO = CONFIG.replace("  demo: {cluster: there, from: qa, namespace: leaving-show}\n", "")
Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tool(
    access: Access, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Tool:
    """Return a function that runs one command line in a project that is applied: code, output, errors."""
    (tmp_path / "leeward.yaml").write_text(CONFIG)
    (tmp_path / "compose.yaml").write_text("services: {web: {image: web}}\n")
    write_contexts(tmp_path / "kubeconfig", {"admin": access})
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.chdir(tmp_path)
    with contextlib.redirect_stderr(None):
        assert run(["env", "apply", "--yes"]) == 0

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def there(access: Access, resource: str, namespace: str, name: str) -> bool:
    async def ask() -> Obj | None:
        async with KubeClient(access) as api:
            return await api.find(resource, namespace, name)

    return asyncio.run(ask()) is not None


def test_an_environment_that_left_the_file_is_told_and_removed_and_its_namespace_is_free(
    tool: Tool, access: Access
) -> None:
    Path("leeward.yaml").write_text(WITHOUT_DEMO.replace("qa: {", "qa: {namespace: leaving-show, "))
    code, _, err = tool("env", "apply", "--yes")
    assert code == 1
    assert "the namespace leaving-show is that of the environment demo of leaving" in err

    Path("leeward.yaml").write_text(WITHOUT_DEMO)
    assert "leeward env remove demo" in tool("env", "apply", "--yes")[2]
    code, out, _ = tool("env", "remove", "demo", "--yes")
    assert code == 0
    assert "stays: the namespace leaving-show" in out
    assert "demo is removed" in out
    assert not there(access, "environments.leeward.dev", "leeward-leaving", "demo")
    assert not there(access, "roles.rbac.authorization.k8s.io", "leaving-show", "leeward:demo:admin")
    assert there(access, "namespaces", "", "leaving-show")
    rows = json.loads(tool("audit", "list", "-o", "json")[1])
    assert "env-remove" in [row["action"] for row in rows]
    assert tool("audit", "verify")[0] == 0

    Path("leeward.yaml").write_text(WITHOUT_DEMO.replace("qa: {", "qa: {namespace: leaving-show, "))
    assert tool("env", "apply", "--yes")[0] == 0
    assert tool("env", "remove", "qa", "--yes")[0] == 0


def test_one_that_others_need_is_kept_and_one_that_is_nowhere_is_told(tool: Tool, access: Access) -> None:
    code, _, err = tool("env", "remove", "ci", "--yes")
    assert code == 1
    assert "qa would get no releases any more, which come from ci" in err
    assert there(access, "environments.leeward.dev", "leeward-leaving", "ci")
    code, _, err = tool("env", "remove", "nowhere", "--yes")
    assert code == 1
    assert "no cluster that could be asked has the environment nowhere of leaving" in err


def test_the_namespace_goes_where_that_is_asked_for(tool: Tool, access: Access) -> None:
    assert tool("env", "remove", "demo", "--delete-namespace", "--yes")[0] == 0
    assert not there(access, "roles.rbac.authorization.k8s.io", "leaving-show", "leeward:demo:view")

    async def gone() -> bool:
        async with KubeClient(access) as api:
            found = await api.find("namespaces", "", "leaving-show")
            return found is None or bool(found["metadata"].get("deletionTimestamp"))

    assert asyncio.run(gone())
