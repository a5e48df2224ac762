"""What a person gets wrong: a message with place and remedy, exit code 1 or 2, nothing left running."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        pytest.param(None, "", "Compose file", id="no-file"),
        pytest.param("services:\n  web: [\n", "compose.yaml:", "", id="yaml-syntax"),
        pytest.param(
            "services:\n  web:\n    image: x\n    prots: []\n", "compose.yaml:4", "ports", id="unknown-key"
        ),
        pytest.param(
            "services:\n  web:\n    image: ${X:?needed}\n", "compose.yaml:3", "needed", id="missing-variable"
        ),
        pytest.param(
            "services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n",
            "compose.yaml:",
            "wait for one another",
            id="dependency-cycle",
        ),
        pytest.param(
            "services:\n  db:\n    image: postgres:16\n", "compose.yaml:3", "build", id="image-cannot-run"
        ),
    ],
)
def test_up_says_what_is_wrong_and_starts_nothing(
    leeward: Any, text: str | None, place: str, words: str
) -> None:
    if text is not None:
        leeward.write("compose.yaml", text)
    done = leeward.run("up", "-d")
    assert done.returncode in (1, 2)
    assert place in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert leeward.run("cluster", "status", "--output", "json").stdout.strip() in ("[]", "")


def test_a_port_that_is_taken_is_named_with_its_line(leeward: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        leeward.write("compose.yaml", f"services:\n  web:\n    image: python:3\n    ports: ['{port}:80']\n")
        done = leeward.run("up", "-d")
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "compose.yaml:4" in done.stderr


@pytest.mark.parametrize("command", [["ps"], ["logs"], ["down"], ["kubeconfig"], ["drill", "zone", "b"]])
def test_a_verb_that_needs_a_cluster_says_how_to_start_one(leeward: Any, command: list[str]) -> None:
    leeward.write("compose.yaml", "services: {web: {image: python:3}}\n")
    done = leeward.run(*command)
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    assert "leeward cluster start" in done.stderr


def test_a_state_directory_of_another_version_is_refused_untouched(leeward: Any) -> None:
    path = leeward.home / "old" / "cluster.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"stateVersion": 99, "name": "old"}))
    done = leeward.run("cluster", "start", "--name", "old")
    assert done.returncode == 1
    assert "state version 99" in done.stderr
    assert json.loads(path.read_text())["stateVersion"] == 99
    path.unlink()


@pytest.mark.parametrize(
    "options", [["--zones", "0"], ["--runtime", "magic"], ["--name", "No Good"], ["--port", "0"], ["--bogus"]]
)
def test_wrong_usage_is_exit_code_2(leeward: Any, options: list[str]) -> None:
    done = leeward.run("cluster", "start", *options)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


NEEDY = "name: shop\nservices:\n  web:\n    image: ${IMAGE:?which one?}\n"


def test_a_project_that_is_not_there_is_told_alike_by_every_verb(leeward: Any) -> None:
    leeward.ok("cluster", "start", "--runtime", "simulated")
    leeward.write("compose.yaml", "name: shop\nservices: {web: {image: x}}\n")
    leeward.ok("up", "-d")
    for verb in (["ps"], ["logs"], ["restart"], ["scale", "web=2"]):
        done = leeward.run(*verb, "-p", "nope")
        assert (done.returncode, done.stdout) == (1, "")
        assert "project nope is not on cluster local" in done.stderr
        assert "On it: shop." in done.stderr
    assert leeward.ok("down", "-p", "nope") == "nope was not up\n"
    leeward.ok("down")
    assert leeward.ok("ps", "--output", "json") == "[]\n"
    assert leeward.run("logs").returncode == 1


def test_a_missing_variable_stops_only_up(leeward: Any) -> None:
    leeward.ok("cluster", "start", "--runtime", "simulated")
    leeward.write("compose.yaml", NEEDY)
    leeward.write("qa.env", "IMAGE=x\n")
    leeward.ok("up", "-d", "--env-file", "qa.env")
    assert leeward.run("up", "-d").returncode == 2
    for verb in (["ps"], ["logs"], ["scale", "web=2"], ["restart"], ["down"]):
        done = leeward.run(*verb)
        assert done.returncode == 0, done.stderr
        assert "compose.yaml:4: The required variable IMAGE is not set" in done.stderr
        assert "Going by the project's name: shop." in done.stderr


def test_the_ingress_and_other_projects_are_named_when_they_have_a_port(leeward: Any) -> None:
    leeward.ok("cluster", "start", "--runtime", "simulated")
    ingress = json.loads(leeward.ok("cluster", "status", "--output", "json"))[0]["ingress"].rsplit(":")[-1]
    leeward.write("compose.yaml", f"services: {{web: {{image: x, ports: ['{ingress}:80']}}}}\n")
    done = leeward.run("up", "-d")
    assert done.returncode == 2
    assert f"port {ingress} on 127.0.0.1 is the ingress of cluster local" in done.stderr
    assert "--ingress-port" in done.stderr


def test_a_service_that_ends_at_once_is_not_up(leeward: Any) -> None:
    leeward.ok("cluster", "start", "--runtime", "simulated")
    leeward.write("compose.yaml", "services: {a: {image: x, command: exit 3}}\n")
    done = leeward.run("up", "-d", "--timeout", "3")
    assert done.returncode == 1
    assert "a (" in done.stderr


def test_nothing_is_scaled_when_one_of_the_services_cannot_be(leeward: Any) -> None:
    leeward.ok("cluster", "start", "--runtime", "simulated")
    leeward.write(
        "compose.yaml", "services: {a: {image: x}, b: {image: x, command: exit 0, restart: 'no'}}\n"
    )
    leeward.ok("up", "-d")
    done = leeward.run("scale", "a=3", "b=2")
    assert done.returncode == 1
    assert "b cannot be scaled" in done.stderr
    assert "Nothing was scaled" in done.stderr
    rows = json.loads(leeward.ok("ps", "--output", "json"))
    assert [row["service"] for row in rows].count("a") == 1


def test_a_state_of_another_version_does_not_hide_the_other_clusters(leeward: Any) -> None:
    for name in ("one", "two"):
        leeward.ok("cluster", "start", "--runtime", "simulated", "--name", name)
        leeward.ok("cluster", "stop", "--name", name)
    record = leeward.home / "one" / "cluster.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "stateVersion": 99}))
    rows = json.loads(leeward.ok("cluster", "status", "--output", "json"))
    assert [(row["name"], row["status"]) for row in rows] == [("one", "unreadable"), ("two", "stopped")]


def test_starting_a_running_cluster_says_only_that_it_runs(leeward: Any) -> None:
    leeward.ok("cluster", "start", "--runtime", "simulated")
    done = leeward.run("cluster", "start", "--runtime", "simulated")
    assert done.returncode == 1
    assert "is already running" in done.stderr
    assert "port" not in done.stderr
