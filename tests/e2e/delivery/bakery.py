"""An application with three releases, the command line that promotes it, and what must hold of it afterwards.

1 and 2 differ in the image, the configuration and the services that they have, so that each adds, changes and
removes something; 3 is as 2, but what verifies it fails. They are promoted through a way to the cluster that
may fail (``tests.e2e.delivery.faultyapi``).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leeward.delivery import records
from leeward.delivery.audit.chain import HEAD, verify
from leeward.delivery.promotion.lease import LEASES
from leeward.delivery.promotion.rollout import RELEASE
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj, annotations_of
from leeward.kube.wellknown import APP_MANAGED_BY
from tests.e2e.delivery.people import write_contexts

_COMPOSE = """\
name: {app}
services:
  web:
    image: registry.example.com/web@sha256:{digest}
    depends_on: {{migrate: {{condition: service_completed_successfully}}}}
    expose: ["8000"]
    healthcheck: {{test: ["CMD", "true"]}}
    configs: [{{source: menu, target: /menu}}]
  migrate:
    image: registry.example.com/web@sha256:{digest}
    command: exit 0
    restart: "no"
  {extra}:
    image: registry.example.com/web@sha256:{digest}
    healthcheck: {{test: ["CMD", "true"]}}
  tests:
    image: registry.example.com/web@sha256:{digest}
    profiles: [verify]
    command: exit {code}
configs:
  menu: {{content: "menu {version}"}}
"""
_CONFIG = """\
app: {app}
environments:
  ci: {{cluster: there, verify: [tests]}}
{others}clusters:
  there: {{context: there}}
"""
_NONE: Mapping[str, str] = {}
_EXTRA = {"1": "oven", "2": "fridge", "3": "fridge"}
_RESULTS = {"Succeeded": "succeeded", "RolledBack": "rolled back", "Superseded": "superseded"}


@dataclass(frozen=True, slots=True)
class Bakery:
    """The application in a directory of its own."""

    app: str
    directory: Path

    @classmethod
    def made(
        cls, app: str, directory: Path, access: Access, others: str = "", files: Mapping[str, str] = _NONE
    ) -> Bakery:
        """Write it, its environments and its three releases, over `access`.

        `others` are more environments, as leeward.yaml has them; `files` are what these need.
        """
        directory.mkdir()
        bakery = cls(app, directory)
        for name, text in files.items():
            (directory / name).write_text(text)
        bakery.reached_through(there=access)
        (directory / "leeward.yaml").write_text(_CONFIG.format(app=app, others=others))
        bakery.write_compose("1")
        bakery.ok("env", "apply", "--yes")
        for version in _EXTRA:
            bakery.write_compose(version)
            bakery.ok("release", "create", "--version", version)
        return bakery

    def write_compose(self, version: str) -> None:
        """Write the Compose file of a version."""
        fields = {"digest": version * 64, "extra": _EXTRA[version], "code": int(version == "3")}
        text = _COMPOSE.format(app=self.app, version=version, **fields)
        (self.directory / "compose.yaml").write_text(text)

    def reached_through(self, **people: Access) -> None:
        """Let contexts of the kubeconfig be these."""
        write_contexts(self.directory / "kubeconfig", people)

    def start(self, *arguments: str, before: str = "") -> subprocess.Popen[str]:
        """Start a command line as a process of its own; `before` is Python that is run first."""
        program = (
            ["-m", "leeward"]
            if not before
            else ["-c", f"{before}\nfrom leeward.cli.main import main\nmain()"]
        )
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=self.directory,
            env={**os.environ, "KUBECONFIG": str(self.directory / "kubeconfig")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, before: str = "") -> tuple[int, str]:
        """Run a command line to its end; returns the exit code and all that it said."""
        with self.start(*arguments, before=before) as process:
            out, err = process.communicate(timeout=100)
        assert "Traceback" not in err, err
        return process.returncode, out + err

    def ok(self, *arguments: str, before: str = "") -> str:
        """Run a command line that has to succeed."""
        code, said = self.run(*arguments, before=before)
        assert code == 0, said
        return said

    def check(self, access: Access, version: str, environment: str = "ci") -> None:
        """Assert that an environment runs one version wholly, and that all that is told of it agrees."""
        asyncio.run(self._check(access, version, environment))

    async def _check(self, access: Access, version: str, environment: str) -> None:
        async with KubeClient(access) as api:
            hub = records.hub_of(self.app)
            status = (await api.get(records.ENVIRONMENTS, hub, environment))["status"]
            label = f"{records.ENVIRONMENT_LABEL}={environment}"
            every = await api.list(records.PROMOTIONS, hub, label_selector=label)
            self._check_promotions(status, every)
            trail = await api.list(records.AUDIT_RECORDS, hub)
            assert verify(self.app, trail, await api.find("configmaps", hub, HEAD)) == []
            self._check_trail(every, [each["spec"] for each in trail])
            lease = await api.get(LEASES, hub, f"leeward-{environment}")
            assert not lease["spec"].get("holderIdentity")
            await self._check_objects(api, f"{self.app}-{environment}", version, status["release"])

    def _check_promotions(self, status: Obj, every: Sequence[Obj]) -> None:
        """Nothing is under way, no number is missing, and the newest good one is what runs."""
        phases = {records.number_of(each["metadata"]["name"]): each["status"]["phase"] for each in every}
        assert sorted(phases) == list(range(1, len(every) + 1))
        assert phases
        assert set(phases.values()) <= _RESULTS.keys(), phases
        assert all(not each["status"].get("step") for each in every)
        good = max(number for number, phase in phases.items() if phase == "Succeeded")
        assert records.number_of(status["promotion"]) == good
        spec = next(each["spec"] for each in every if each["metadata"]["name"] == status["promotion"])
        assert spec["release"] == status["release"] == status["verified"][0]["release"]

    def _check_trail(self, every: Sequence[Obj], trail: Sequence[Mapping[str, str]]) -> None:
        """Every promotion has one record, which says how it ended."""
        told: dict[str, list[str]] = {}
        for each in trail:
            if each["action"] in ("promote", "rollback"):
                told.setdefault(each["promotion"], []).append(each["result"])
        ended = {each["metadata"]["name"]: [_RESULTS[each["status"]["phase"]]] for each in every}
        names = {each["spec"]["environment"] for each in every}
        assert {name: told[name] for name in told if name.rpartition("-")[0] in names} == ended

    async def _check_objects(self, api: KubeClient, namespace: str, version: str, release: str) -> None:
        """Everything is of the one release, nothing of another is there."""
        selector = f"{APP_MANAGED_BY}=leeward"
        live = await api.list("deployments.apps", namespace, label_selector=selector)
        assert {each["metadata"]["name"] for each in live} == {"web", _EXTRA[version]}
        image = f"registry.example.com/web@sha256:{version * 64}"
        for each in live:
            assert annotations_of(each)[RELEASE] == release, each["metadata"]["name"]
            containers = each["spec"]["template"]["spec"]["containers"]
            assert [container["image"] for container in containers] == [image]
        services = await api.list("services", namespace, label_selector=selector)
        assert {annotations_of(each)[RELEASE] for each in services} == {release}
        web = next(each for each in live if each["metadata"]["name"] == "web")
        (menu,) = [
            each["configMap"]["name"]
            for each in web["spec"]["template"]["spec"]["volumes"]
            if "configMap" in each
        ]
        found = await api.get("configmaps", namespace, menu)
        assert list(found["data"].values()) == [f"menu {version}"]
