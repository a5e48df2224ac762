"""kubectl: what people type at a cluster, from `apply` to `cp`."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients import objects
from tests.clients.objects import CLIENT, DEADLINE, Manifest
from tests.live import NEEDS_KUBECTL, Kubectl

pytestmark = [*CLIENT, NEEDS_KUBECTL]
GROUP = "kubectl.clients.leeward.dev"
LIMIT = f"--timeout={DEADLINE}s"


@pytest.fixture(scope="module")
def kubectl(kubeconfig: Path, namespace: str) -> Kubectl:
    return Kubectl(kubeconfig, namespace)


def given(*manifests: Manifest) -> bytes:
    """Return what `-f -` reads."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}).encode()


@pytest.fixture(scope="module")
def talker(kubectl: Kubectl) -> str:
    kubectl.ok("create", "-f", "-", stdin=given(objects.talker()))
    kubectl.ok("wait", "--for=condition=Ready", "pod/talker", LIMIT)
    return "talker"


@contextmanager
def watching(kubectl: Kubectl, *arguments: str) -> Iterator[Iterator[str]]:
    """Run a command that goes on until it is ended; yields its lines."""
    with subprocess.Popen([*kubectl.command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield (line.rstrip() for line in process.stdout)
        finally:
            process.kill()


def test_an_object_is_created_listed_watched_patched_and_deleted(kubectl: Kubectl) -> None:
    columns = "custom-columns=EVENT:.type,COLOUR:.object.data.colour"
    shop = ("configmap", "--selector=app=shop")
    assert kubectl.ok("get", *shop, "-o", "name") == ""
    watch = ("get", *shop, "--watch", "--output-watch-events", "-o", columns)
    with watching(kubectl, *watch) as lines:
        kubectl.ok("create", "-f", "-", stdin=given(objects.config_map("shop", colour="red")))
        assert next(lines).split() == ["EVENT", "COLOUR"]
        assert next(lines).split() == ["ADDED", "red"]
        kubectl.ok("patch", "configmap/shop", "--patch", '{"data":{"colour":"blue"}}')
        assert next(lines).split() == ["MODIFIED", "blue"]
        kubectl.ok("delete", "configmap/shop")
        assert next(lines).split() == ["DELETED", "blue"]
    assert '"shop" not found' in kubectl.fails("get", "configmap/shop")


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("json", '[{"op":"replace","path":"/data/colour","value":"blue"}]'),
        ("merge", '{"data":{"colour":"blue"}}'),
        ("strategic", '{"data":{"colour":"blue"}}'),
    ],
)
def test_patches_of_every_kind_are_taken(kubectl: Kubectl, kind: str, patch: str) -> None:
    kubectl.ok("create", "configmap", kind, "--from-literal=colour=red", "--from-literal=size=2")
    told = kubectl.ok("patch", "configmap", kind, f"--type={kind}", "--patch", patch, "-o=jsonpath={.data}")
    assert json.loads(told) == {"colour": "blue", "size": "2"}


def test_a_second_field_manager_conflicts_until_it_forces(kubectl: Kubectl) -> None:
    def apply(manager: str, colour: str, *more: str) -> tuple[str, ...]:
        text = given(objects.config_map("applied", colour=colour))
        flags = ("--server-side", f"--field-manager={manager}", *more)
        done = kubectl.run("apply", *flags, "-f", "-", stdin=text)
        return done.stdout.decode().strip(), done.stderr.decode()

    assert apply("first", "red")[0] == "configmap/applied serverside-applied"
    assert 'conflict with "first"' in apply("second", "blue")[1]
    assert apply("second", "blue", "--force-conflicts")[0] == "configmap/applied serverside-applied"
    assert kubectl.ok("get", "configmap/applied", "-o=jsonpath={.data.colour}") == "blue"


def test_apply_diff_and_prune_tell_what_changes(kubectl: Kubectl) -> None:
    red, blue = (objects.config_map("kept", colour=colour) for colour in ("red", "blue"))
    extra = objects.config_map("extra", colour="red")
    for each in (red, blue, extra):
        each["metadata"]["labels"] = {"set": "pruned"}
    assert "configmap/kept created" in kubectl.ok("apply", "-f", "-", stdin=given(red, extra))
    assert kubectl.run("diff", "-f", "-", stdin=given(red)).returncode == 0
    told = kubectl.run("diff", "-f", "-", stdin=given(blue))
    assert told.returncode == 1
    assert {"-  colour: red", "+  colour: blue"} <= set(told.stdout.decode().splitlines())
    prune = ("--prune", "--selector=set=pruned", "--prune-allowlist=core/v1/ConfigMap")
    lines = kubectl.ok("apply", *prune, "-f", "-", stdin=given(blue)).splitlines()
    assert lines == ["configmap/kept configured", "configmap/extra pruned"]


def test_a_deployment_rolls_out_scales_rolls_back_and_goes(kubectl: Kubectl) -> None:
    web = "deployment/web"
    kubectl.ok("apply", "-f", "-", stdin=given(objects.deployment("web")))
    assert "successfully rolled out" in kubectl.ok("rollout", "status", web, LIMIT)
    kubectl.ok("set", "env", web, "COLOUR=blue")
    assert "successfully rolled out" in kubectl.ok("rollout", "status", web, LIMIT)
    kubectl.ok("scale", web, "--replicas=2", "--current-replicas=1")
    kubectl.ok("wait", "--for=jsonpath={.status.readyReplicas}=2", web, LIMIT)
    kubectl.ok("rollout", "undo", web)
    kubectl.ok("rollout", "restart", web)
    assert "successfully rolled out" in kubectl.ok("rollout", "status", web, LIMIT)
    assert kubectl.ok("rollout", "history", web).count("<none>") == 3
    kubectl.ok("delete", web, "--cascade=foreground")
    kubectl.ok("wait", "--for=delete", "pod", "--selector=app=web", LIMIT)
    assert kubectl.ok("get", "pod,replicaset", "--selector=app=web", "-o", "name") == ""


def test_logs_are_read_and_followed_with_where_they_come_from(kubectl: Kubectl, talker: str) -> None:
    assert "Serving HTTP" in kubectl.ok("logs", talker)
    assert kubectl.ok("logs", talker, "--container=ticker", "--limit-bytes=7") == "tick 0\n"
    follow = ("logs", "--follow", "--prefix", "--selector=app=talker", "--all-containers", "--tail=1")
    ticks = []
    with watching(kubectl, *follow) as lines:
        for line in lines:
            where, _, said = line.partition(" ")
            if where == "[pod/talker/ticker]":
                ticks.append(int(said.split()[1]))
            if len(ticks) == 4:
                break
    assert ticks == list(range(ticks[0], ticks[0] + 4))


def test_logs_that_are_followed_end_with_the_container(kubectl: Kubectl) -> None:
    kubectl.ok(
        "run", "brief", "--image=busybox", "--restart=Never", "--", "sh", "-c", "echo a; sleep 1; echo b"
    )
    kubectl.ok("wait", "--for=jsonpath={.status.phase}=Running", "pod/brief", LIMIT)
    assert kubectl.ok("logs", "--follow", "brief") == "a\nb\n"
    kubectl.ok("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/brief", LIMIT)


def test_a_command_is_executed_with_its_streams(kubectl: Kubectl, talker: str) -> None:
    script = "read a; echo got $a; echo err >&2; exit 4"
    done = kubectl.run("exec", "-i", talker, "--", "sh", "-c", script, stdin=b"this\n")
    assert (done.stdout, done.returncode) == (b"got this\n", 4)
    assert b"err\n" in done.stderr


@pytest.mark.skipif(shutil.which("tar") is None, reason="kubectl cp needs tar")
def test_a_container_that_is_added_to_a_pod_runs_in_it(kubectl: Kubectl, talker: str) -> None:
    kubectl.ok("debug", talker, "--image=busybox", "--container=look", "--", "sh", "-c", "hostname")
    ended = "jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.reason}=Completed"
    kubectl.ok("wait", f"--for={ended}", f"pod/{talker}", LIMIT)
    assert kubectl.ok("logs", talker, "-c", "look") == f"{talker}\n"


def test_files_and_directories_are_copied(kubectl: Kubectl, talker: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("hello")
    kubectl.ok("cp", str(tmp_path / "there"), f"{talker}:/tmp/there", "--container=main")
    kubectl.ok("cp", f"{talker}:/tmp/there", str(tmp_path / "back"), "--container=main")
    assert (tmp_path / "back" / "file").read_text() == "hello"


def test_a_port_is_forwarded(kubectl: Kubectl, talker: str) -> None:
    with (
        kubectl.forwarding(f"pod/{talker}", ":8000") as (port, _),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer,
    ):
        assert answer.read() == b"hello\n"


def test_top_shows_what_pods_and_nodes_use(kubectl: Kubectl, talker: str) -> None:
    assert talker in kubectl.ok("top", "pods", "--containers")
    assert "CPU(%)" in kubectl.ok("top", "nodes")


def test_a_custom_resource_is_defined_watched_scaled_and_has_a_status(kubectl: Kubectl) -> None:
    definition = f"customresourcedefinition/widgets.{GROUP}"
    widgets = f"widgets.{GROUP}"
    kubectl.ok("apply", "-f", "-", stdin=given(objects.definition(GROUP)))
    kubectl.ok("wait", "--for=condition=Established", definition, LIMIT)
    columns = "custom-columns=SIZE:.spec.size,PHASE:.status.phase"
    with watching(kubectl, "get", widgets, "--watch", "--no-headers", "-o", columns) as lines:
        kubectl.ok("apply", "-f", "-", stdin=given(objects.widget(GROUP, "one", 3)))
        assert next(lines).split() == ["3", "<none>"]
        kubectl.ok("apply", "-f", "-", stdin=given(objects.widget(GROUP, "one", 2)))
        assert next(lines).split() == ["2", "<none>"]
        kubectl.ok("scale", f"{widgets}/one", "--replicas=4")
        assert next(lines).split() == ["4", "<none>"]
        status = ("--subresource=status", "--type=merge", "--patch", '{"status":{"phase":"Fine"}}')
        kubectl.ok("patch", f"{widgets}/one", *status)
        assert next(lines).split() == ["4", "Fine"]
    kubectl.ok("wait", "--for=jsonpath={.status.phase}=Fine", f"{widgets}/one", LIMIT)
    assert "size\t<integer>" in kubectl.ok("explain", f"{widgets}.spec")
    assert "Standard object's metadata" in kubectl.ok("explain", widgets)
    kubectl.ok("delete", f"{widgets}/one", LIMIT)
    wrong = kubectl.run("create", "-f", "-", stdin=given(objects.widget(GROUP, "wrong", -1)))
    assert b"spec.size: Invalid value: -1" in wrong.stderr
