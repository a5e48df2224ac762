"""A cluster's life as a user sees it, with real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[3]
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="Pods with networks of their own need root on Linux"
)
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
COMPOSE = """
name: tiny
services:
  web:
    image: python:3.12
    command: python -m http.server 8000
    expose: ["8000"]
    stop_grace_period: 1s
    deploy: {replicas: 3}
  ask:
    image: python:3.12
    command: python -c "import urllib.request; print(urllib.request.urlopen('http://web:8000/').status)"
    restart: "no"
    depends_on: {web: {condition: service_healthy}}
"""


@needs_root
@pytest.mark.root
def test_a_project_comes_up_answers_and_goes_without_a_trace(leeward: Any) -> None:
    leeward.write("compose.yaml", COMPOSE.replace("    expose", EXTRA_CHECK + "    expose"))
    leeward.ok("up", "-d", "--cluster", "life")
    rows = json.loads(leeward.ok("ps", "--cluster", "life", "--output", "json"))
    assert {row["zone"] for row in rows if row["service"] == "web"} == {"local-a", "local-b", "local-c"}
    assert leeward.ok("logs", "--cluster", "life", "ask").strip().endswith("200")
    record = json.loads((leeward.home / "life" / "cluster.json").read_text())
    address = f"http://127.0.0.1:{record['ingressPort']}/"
    request = urllib.request.Request(address, headers={"Host": "web.localhost"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200
    assert leeward.ok("render", "--diff", "cluster", "--cluster", "life") == ""
    leeward.ok("scale", "--cluster", "life", "web=4")
    changed = leeward.run("render", "--diff", "cluster", "--cluster", "life")
    assert changed.returncode == 1, changed.stderr
    assert "-  replicas: 4\n+  replicas: 3\n" in changed.stdout
    leeward.ok("down", "--cluster", "life")
    assert json.loads(leeward.ok("ps", "--cluster", "life", "--output", "json")) == []
    pid = leeward.pid("life")
    leeward.ok("cluster", "stop", "--name", "life")
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(f"/sys/class/net/{record['interface']}").exists()


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("mode", ["power", "drain"])
def test_losing_a_zone_under_load_loses_no_get(leeward: Any, mode: str) -> None:
    compose = COMPOSE.replace("    expose", EXTRA_CHECK + "    ports").replace("name: tiny", f"name: {mode}")
    leeward.write("compose.yaml", compose)
    leeward.ok("up", "-d", "--cluster", mode)

    done = leeward.run(
        *("drill", "zone", "b", "--mode", mode, "--cluster", mode),
        *("--rate", "20", "--duration", "16", "--output", "json"),
    )

    report = json.loads(done.stdout)
    assert (done.returncode, report["passed"], report["problems"]) == (0, True, [])
    assert (report["requests"], report["failures"]) == (320, {})
    assert report["zones_left"]["web"] == 2
    assert report["left_rotation"] is not None
    assert "local-b" in report["pods"]["before"]
    assert "local-b" not in report["pods"]["during"]
    nodes = json.loads(leeward.kubectl(mode, "get", "nodes", "-o", "json").stdout)["items"]
    assert not any(node["spec"].get("unschedulable") for node in nodes)


EXTRA_CHECK = """    healthcheck:
      test: ["CMD", "python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 1)"]
      interval: 2s
"""


@needs_kubectl
def test_what_was_acknowledged_survives_a_kill(leeward: Any) -> None:
    leeward.ok("cluster", "start", "--name", "crash", "--runtime", "simulated")
    created = []
    for number in range(20):
        done = leeward.kubectl("crash", "create", "configmap", f"c{number}", "--from-literal=a=b")
        assert done.returncode == 0, done.stderr
        created.append(f"c{number}")
    os.kill(leeward.pid("crash"), signal.SIGKILL)
    leeward.ok("cluster", "start", "--name", "crash")
    found = json.loads(leeward.kubectl("crash", "get", "configmaps", "-o", "json").stdout)
    assert set(created) <= {item["metadata"]["name"] for item in found["items"]}


def test_a_cluster_that_runs_is_not_started_twice(leeward: Any) -> None:
    leeward.ok("cluster", "start", "--name", "twice", "--runtime", "simulated")
    again = leeward.run("cluster", "start", "--name", "twice")
    assert again.returncode == 1
    assert "already running" in again.stderr
    assert "Traceback" not in again.stderr
    status = json.loads(leeward.ok("cluster", "status", "--output", "json"))
    assert [(row["name"], row["status"], row["nodes"]) for row in status] == [("twice", "running", "6/6")]


def test_an_interrupted_start_leaves_nothing_running(leeward: Any) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "leeward", "cluster", "start", "--name", "halt", "--runtime", "simulated"],
        cwd=leeward.directory,
        env={**os.environ, "LEEWARD_HOME": str(leeward.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()  # the first step: the cluster's process is there
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    status = json.loads(leeward.ok("cluster", "status", "--output", "json"))
    assert (process.returncode, [row["status"] for row in status]) in (
        (130, ["stopped"]),
        (0, ["running"]),  # it was ready before the signal came
    )
