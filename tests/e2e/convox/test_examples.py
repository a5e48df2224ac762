"""The Convox examples as ``docs/convox.md`` walks through them: import, check, render, run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

pytestmark = pytest.mark.e2e
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
NAMES = ("convox-hello", "convox-shop", "convox-platform")
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="Pods with networks of their own need root on Linux"
)
CLUSTER = "convox"
LONGEST_WAIT = 100.0  # seconds: a timer runs once a minute


@pytest.fixture
def copies(leeward: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the examples; the release's environment has the one variable without a default."""
    monkeypatch.setenv("SIGNING_KEY", "secret")
    for name in NAMES:
        shutil.copytree(
            EXAMPLES / name, leeward.directory / name, ignore=shutil.ignore_patterns("compose.yaml")
        )
    directory: Path = leeward.directory
    return directory


def local_files(directory: Path) -> list[str]:
    override = directory / "compose.local.yaml"
    return ["-f", "compose.yaml", *(["-f", "compose.local.yaml"] if override.exists() else [])]


@pytest.mark.parametrize("name", NAMES)
def test_an_example_imports_and_renders_valid_objects_for_every_environment(
    name: str, leeward: Any, copies: Path
) -> None:
    told = leeward.run("import", "convox", cwd=copies / name)
    assert told.returncode == 0, told.stderr
    assert "warning" not in told.stderr
    assert leeward.run("check", cwd=copies / name).returncode == 0
    for environment in ("local", "production"):
        text = leeward.ok("render", "--env", environment, cwd=copies / name)
        for obj in yaml.safe_load_all(text):
            kubernetes_validate.validate(obj, kubernetes_validate.latest_version(), strict=True)


@needs_root
@pytest.mark.root
@pytest.mark.timeout(300)
def test_the_examples_run_and_their_timers_tick(leeward: Any, copies: Path) -> None:
    def up(name: str) -> None:
        leeward.ok("import", "convox", cwd=copies / name)
        leeward.ok("up", "-d", "--cluster", CLUSTER, *local_files(copies / name), cwd=copies / name)

    def ask(host: str, path: str = "/", method: str = "GET") -> Any:
        record = json.loads((leeward.home / CLUSTER / "cluster.json").read_text())
        request = urllib.request.Request(
            f"http://127.0.0.1:{record['ingressPort']}{path}", headers={"Host": host}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def shop() -> Any:
        return json.loads(ask("web.localhost"))

    def platform() -> Any:
        return json.loads(ask("gateway.localhost"))

    up("convox-hello")
    assert ask("web.localhost") == "hello\n"
    hello = leeward.kubectl(CLUSTER, "-n", "convox-hello", "get", "deployment", "web", "-o", "json")
    assert json.loads(hello.stdout)["status"]["readyReplicas"] == 2
    leeward.ok("down", "--cluster", CLUSTER, cwd=copies / "convox-hello")  # the shop has a "web", too
    up("convox-shop")
    up("convox-platform")
    ask("web.localhost", "/orders", "POST")
    seen = platform()
    assert seen["limits"] == "per_minute = 600"
    assert seen["signed"] is True
    with socket.create_connection(("127.0.0.1", 5000), 5) as feed:
        assert feed.recv(100).startswith(b"indexed ")
    until(lambda: platform()["catalog"]["agents"] == 6)  # one a node
    until(lambda: shop()["shipped"] == 1)
    until(lambda: shop()["reported"] >= 1)
    until(lambda: platform()["catalog"]["cleaned"] >= 1)
    assert platform()["visits"] > 1


def until(holds: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + LONGEST_WAIT
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.5)
