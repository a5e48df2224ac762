"""Runs the recorded kubectl commands against a server like the one they were recorded with, and compares.

Run: python tests/conformance/kubectl.py [-q] [--only REGEX]
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from leeward.base.clock import SystemClock
from leeward.kube.kubeconfig import make_kubeconfig, write_kubeconfig
from leeward.kube.objects import Obj
from tests.conformance.kubelets import Kubelets
from tests.conformance.server import SHARED, RecordedServer
from tests.conformance.timelines.world import UPSTREAM

DATA = SHARED / "data" / "kubectl"
QUIET_SECONDS = 2.0
STARTED_SECONDS = 0.6  # longer than a played kubelet needs to start a Pod
WORKLOADS = ("Deployment", "Job", "StatefulSet", "DaemonSet")
_SECRETS = (
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "<jwt>"),
    (re.compile(r"-----BEGIN [\s\S]*?-----END [A-Z ]+-----\n?"), "<pem>"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One command and what it gave."""

    row: Mapping[str, Any]
    differences: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"{self.row['id']}: kubectl {shlex.join(self.row['argv'])}"


def _normaliser() -> Callable[[str], str]:
    spec = importlib.util.spec_from_file_location("kubectl_norm", DATA / "kubectl_norm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.norm  # type: ignore[no-any-return]


class World:
    """The scripted world on a server of its own.

    Args:
        directory: for certificates, the working directory and the kubeconfig.
    """

    def __init__(self, directory: Path) -> None:
        self._norm = _normaliser()
        self._clock = SystemClock()
        self._server = RecordedServer(directory, whole=True, timing=UPSTREAM)
        self._address = self._server.url.removeprefix("https://")
        self._files = directory / "files"
        home = directory / "home"
        for each in (self._files, home):
            each.mkdir()
        for name, content in yaml.safe_load((DATA / "files.yaml").read_text()).items():
            (self._files / name).write_text(content)
        config = make_kubeconfig(
            name="recorded", server=self._server.url, ca_data=self._server.ca_data, token=self._server.token
        )
        write_kubeconfig(directory / "kubeconfig", config)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(directory / "kubeconfig"),
        }

    def build(self) -> None:
        """Create everything that the reading commands look at."""
        recorded = json.loads((DATA / "world_objects.json").read_text())
        bare = [_bare_node(node) for node in recorded["Node"]]
        self._server.call(lambda: Kubelets(self._server.registry, self._clock, bare).start())
        for obj in _public_info_viewer():
            self._create(obj)
        self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "empty-namespace"}})
        documents = yaml.safe_load_all((DATA / "world.yaml").read_text())
        for document in documents:
            self._create(document)
            self.settle("", STARTED_SECONDS if document["kind"] in WORKLOADS else 0.3)
        self._server.call(lambda: self._set_widget(recorded["Widget"][0]["status"]))
        self.settle("", QUIET_SECONDS)
        while not self._server.call(self._autoscalers_have_looked):  # which they do every 15 s
            self.settle("", QUIET_SECONDS)

    def _autoscalers_have_looked(self) -> bool:
        found = self._server.registry.client("admin").list("horizontalpodautoscalers.autoscaling")
        return all((each.get("status") or {}).get("conditions") for each in found)

    def _create(self, obj: Obj) -> None:
        path = self._environment["HOME"] + "/object.yaml"
        Path(path).write_text(yaml.safe_dump(obj))
        done = self.kubectl(["create", "--field-manager=unknown", "-f", path])
        if done.returncode:
            sys.stderr.write(f"{obj['kind']} {obj['metadata']['name']}: {done.stderr}")

    def _set_widget(self, status: Obj) -> None:
        client = self._server.registry.client("admin").tracked("unknown", "example.com/v1")
        found = client.find("widgets.example.com", "shop", "small")
        if found is not None:
            client.update_status("widgets.example.com", {**found, "status": status})

    def settle(self, namespace: str, quiet: float) -> None:
        """Wait until nothing has changed in `namespace` (everywhere: "") for `quiet` seconds."""
        changed = threading.Event()

        def on_event(event: Any) -> None:
            meta = event.object["metadata"]
            if event.resource != "leases.coordination.k8s.io" and namespace in ("", meta.get("namespace")):
                changed.set()

        client = self._server.registry.client("admin")
        stop = self._server.call(lambda: client.watch(None, on_event))
        try:
            for _ in range(200):
                changed.clear()
                if not changed.wait(quiet):
                    return
        finally:
            self._server.call(stop)

    def kubectl(self, argv: list[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl in the world's working directory."""
        return subprocess.run(
            ["kubectl", *argv],
            cwd=self._files,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def outcomes(self) -> Iterator[Outcome]:
        """Run all commands in their order; yield those that have an expectation."""
        rows = iter(json.loads((DATA / "commands.json").read_text()))
        for line in (DATA / "commands.txt").read_text().splitlines():
            word = line.split(" ")[0]
            if word == "settle":
                self.settle("lab", QUIET_SECONDS)
            elif word == "sleep":
                threading.Event().wait(float(line.split()[1]))
            elif word in ("r", "m"):
                row = next(rows)
                stdin = (self._files / row["stdin"]).read_text() if row.get("stdin") else None
                done = self.kubectl(row["argv"], stdin)
                if not row.get("held_out"):
                    yield Outcome(row, tuple(self._differences(row, done)))

    def _differences(self, row: Mapping[str, Any], done: subprocess.CompletedProcess[str]) -> Iterator[str]:
        if done.returncode != row["rc"]:
            yield f"exit code {done.returncode}, not {row['rc']}"
        if row["stable"] is False:
            return
        for stream in ("stdout", "stderr"):
            wanted = row.get(f"{stream}_norm", row[stream])
            wanted, got = self._norm(wanted), self._norm(self._hidden(getattr(done, stream)))
            if row["stable"] == "lines":
                wanted, got = ("\n".join(sorted(text.split("\n"))) for text in (wanted, got))
            if wanted != got:
                pairs = difflib.unified_diff(wanted.split("\n"), got.split("\n"), "recorded", stream, n=0)
                yield "\n".join(pairs)

    def _hidden(self, text: str) -> str:
        for pattern, placeholder in _SECRETS:
            text = pattern.sub(placeholder, text)
        return text.replace(self._address, "<server>")

    def close(self) -> None:
        """Stop the server."""
        self._server.close()


def _public_info_viewer() -> list[Obj]:
    """Return what OpenShift's build, which was recorded, lets everybody read besides."""
    group, meta = "rbac.authorization.k8s.io", {"name": "system:openshift:public-info-viewer"}
    rules = [{"verbs": ["get"], "nonResourceURLs": ["/.well-known", "/.well-known/*"]}]
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": meta}
    names = ("system:authenticated", "system:unauthenticated")
    subjects = [{"kind": "Group", "apiGroup": group, "name": name} for name in names]
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": meta["name"]}
    binding = {**role, "kind": "ClusterRoleBinding", "roleRef": reference, "subjects": subjects}
    return [{**role, "rules": rules}, binding]


def _bare_node(recorded: Obj) -> Obj:
    """Return what the kubelet of a recorded node registered."""
    meta = recorded["metadata"]
    labels = {key: value for key, value in meta["labels"].items() if not key.startswith("beta.")}
    return {"metadata": {"name": meta["name"], "labels": labels}, "status": recorded["status"]}


def main() -> int:
    """Run all, print what differs and a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-q", "--quiet", action="store_true", help="only titles and the summary")
    parser.add_argument("--only", default="", help="print only commands whose title matches")
    options = parser.parse_args()
    good = total = 0
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        try:
            world.build()
            for outcome in world.outcomes():
                total += 1
                good += not outcome.differences
                if outcome.differences and re.search(options.only, outcome.title):
                    sys.stdout.write(f"== {outcome.title}\n")
                    if not options.quiet:
                        sys.stdout.write("\n".join(outcome.differences) + "\n")
                    sys.stdout.flush()
        finally:
            world.close()
    sys.stdout.write(f"{good} of {total} commands match\n")
    return 0 if good == total else 1


if __name__ == "__main__":
    sys.exit(main())
