"""Day-to-day verbs against an environment: what runs there is looked at, talked to and restarted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.live import NEEDS_KUBECTL, NEEDS_PODS, Kubectl, Leeward

pytestmark = [*NEEDS_PODS, NEEDS_KUBECTL]
_LOOP = "trap 'exit 0' TERM; echo $$GREETING; while true; do sleep 0.2; done"
_COMPOSE = f"""\
name: pets
services:
  web:
    image: registry.example.com/busybox@sha256:{"1" * 64}
    command: ["sh", "-c", "{_LOOP}"]
    environment: {{GREETING: hello, DB_PASSWORD: "${{DB_PASSWORD:-}}"}}
    expose: ["8000"]
    deploy: {{replicas: 2}}
    stop_grace_period: 1s
  db:
    image: registry.example.com/busybox@sha256:{"1" * 64}
    command: ["sh", "-c", "{_LOOP}"]
    environment: {{GREETING: LEVEL}}
    volumes: ["data:/data"]
    stop_grace_period: 1s
volumes: {{data: {{}}}}
"""
_CONFIG = "app: pets\nenvironments:\n  ci: {access: {developers: edit, testers: view}}\n"
_BROKEN = "services: {web: {image: '${NOT_SET_ANYWHERE:?which}'}}\n"


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leeward]:
    """Return a leeward with one release promoted to ci; the Compose file cannot be used any more."""
    place = tmp_path_factory.mktemp("days")
    (place / "work").mkdir()
    leeward = Leeward(place / "home", place / "work")
    leeward.write("leeward.yaml", _CONFIG)
    leeward.write("compose.yaml", _COMPOSE)
    leeward.ok("cluster", "start", "--zones", "2", "--nodes-per-zone", "1")
    leeward.ok("env", "apply", "--yes")
    leeward.ok("env", "set", "DB_PASSWORD=s3cret", "--env", "ci")
    leeward.ok("release", "create", "--version", "1")
    leeward.ok("promote", "--to", "ci", "--yes")
    leeward.write("compose.yaml", _BROKEN)
    yield leeward
    leeward.run("cluster", "delete", "--yes")


@pytest.fixture
def kubectl(tool: Leeward) -> Kubectl:
    return Kubectl(tool.home / "local" / "kubeconfig", "pets-ci")


def piped(tool: Leeward, text: str, *arguments: str) -> str:
    """Run a command with something on its standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "leeward", *arguments],
        cwd=tool.directory,
        env={**os.environ, "LEEWARD_HOME": str(tool.home)},
        input=text,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def person(tool: Leeward, name: str, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on as somebody of a group."""
    path = tool.write(f"{name}.kubeconfig", tool.ok("kubeconfig", "--user", name, "--group", group))
    monkeypatch.setenv("KUBECONFIG", str(path))


def pods_of(kubectl: Kubectl, service: str) -> set[str]:
    """Return the names of a service's Pods, without those that are on their way out."""
    found = json.loads(kubectl.ok("get", "pods", "-l", f"app.kubernetes.io/name={service}", "-o", "json"))
    metas = [each["metadata"] for each in found["items"]]
    return {meta["name"] for meta in metas if "deletionTimestamp" not in meta}


def test_services_and_what_they_say_are_shown(tool: Leeward) -> None:
    db, web = json.loads(tool.ok("ps", "--env", "ci", "-o", "json"))
    assert (db["service"], db["ready"], db["status"], db["version"]) == ("db", "1/1", "up", "1")
    assert (web["ready"], web["restarts"], web["zones"]) == ("2/2", 0, "local-a, local-b")
    assert web["image"].endswith("1" * 64)
    assert tool.ok("logs", "--env", "ci", "--tail", "1", "db").startswith("db-0 | LEVEL")
    said = tool.ok("logs", "--env", "ci", "--timestamps").splitlines()
    assert len(said) == 3
    assert sum(line.endswith("Z hello") for line in said) == 2
    refused = tool.run("logs", "--env", "ci", "wbe")
    assert (refused.returncode, 'Did you mean "web"?' in refused.stderr) == (2, True)


def test_a_command_runs_in_a_pod_with_its_input_outputs_and_exit_code(tool: Leeward) -> None:
    script = "echo $GREETING; echo wrong >&2; exit 7"
    done = tool.run("exec", "--env", "ci", "web", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n", "wrong\n")
    text = "".join(f"{number}\n" for number in range(50_000))
    assert piped(tool, text, "exec", "--env", "ci", "-w", "/tmp", "-e", "A=b", "web", "cat") == text


def test_a_service_runs_once_beside_itself(tool: Leeward, kubectl: Kubectl) -> None:
    tool.ok("exec", "--env", "ci", "db", "sh", "-c", "echo kept > /data/file")
    assert "kept" in tool.ok("run", "--env", "ci", "db", "cat", "/data/file")
    script = "echo $GREETING $DB_PASSWORD $MORE; exit 5"
    done = tool.run("run", "--env", "ci", "-e", "MORE=x", "web", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (5, "hello s3cret x\n")
    assert piped(tool, "typed\n", "run", "--env", "ci", "web", "cat") == "typed\n"
    assert kubectl.ok("get", "jobs") == ""

    name = tool.ok("run", "--env", "ci", "--detach", "web").strip()
    kubectl.ok("wait", "--for=jsonpath={.status.ready}=1", f"job/{name}", "--timeout=30s")
    slices = json.loads(kubectl.ok("get", "endpointslices", "-o", "json"))["items"]
    behind = {each["targetRef"]["name"] for found in slices for each in found["endpoints"] or ()}
    assert behind == pods_of(kubectl, "web") | pods_of(kubectl, "db")
    assert "is as it was promoted" in tool.ok("drift", "ci")
    kubectl.ok("delete", "job", name)


def test_a_restart_is_no_drift_and_the_next_promotion_leaves_it_alone(
    tool: Leeward, kubectl: Kubectl
) -> None:
    before = pods_of(kubectl, "web"), pods_of(kubectl, "db")
    assert "web up again" in tool.ok("restart", "--env", "ci", "web")
    after = pods_of(kubectl, "web"), pods_of(kubectl, "db")
    assert (len(after[0]), after[0] & before[0], after[1]) == (2, set(), before[1])
    assert "is as it was promoted" in tool.ok("drift", "ci")

    tool.write("compose.yaml", _COMPOSE.replace("LEVEL", "debug"))
    tool.ok("release", "create", "--version", "2")
    tool.ok("promote", "2", "--to", "ci", "--yes")
    tool.write("compose.yaml", _BROKEN)
    assert pods_of(kubectl, "web") == after[0]
    assert "is as it was promoted" in tool.ok("drift", "ci")


def test_access_decides_and_refusals_say_what_it_takes(
    tool: Leeward, monkeypatch: pytest.MonkeyPatch
) -> None:
    person(tool, "jane", "developers", monkeypatch)
    done = tool.run("exec", "--env", "ci", "--context", "jane", "web", "echo", "hi")
    assert (done.returncode, done.stdout) == (0, "hi\n")
    assert "not in the audit trail of ci, which jane may not write" in done.stderr

    person(tool, "toni", "testers", monkeypatch)
    assert "web" in tool.ok("ps", "--env", "ci", "--context", "toni")
    for verb in (("exec", "web", "true"), ("run", "web", "true"), ("restart", "web"), ("scale", "web=3")):
        done = tool.run(verb[0], "--env", "ci", "--context", "toni", *verb[1:])
        assert done.returncode == 1, verb
        assert "toni may not" in done.stderr
        assert "which the group developers has" in done.stderr


def test_what_was_done_is_in_the_audit_trail(tool: Leeward) -> None:
    tool.ok("exec", "--env", "ci", "web", "true")
    tool.ok("run", "--env", "ci", "web", "sh", "-c", "echo passw0rd")
    tool.ok("scale", "--env", "ci", "web=3")
    drifted = tool.run("drift", "ci")
    assert (drifted.returncode, "replicas 2 → 3" in drifted.stdout) == (1, True)
    found = json.loads(tool.ok("audit", "list", "--env", "ci", "-o", "json"))
    told = {each["action"]: each["details"] for each in found}
    assert (told["exec"]["service"], told["exec"]["program"], told["run"]["program"]) == ("web", "true", "sh")
    assert told["scale"]["services"] == ["web=3"]
    assert "passw0rd" not in str(found)
    assert "all good" in tool.ok("audit", "verify")
