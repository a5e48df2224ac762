"""kopf: an operator that runs as a process of its own, with finalizers, events and a status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, utils, watch

from tests.clients.objects import CLIENT, DEADLINE

pytestmark = CLIENT
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "operator"
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"
LAST_HANDLED = "kopf.zalando.org/last-handled-configuration"
GROUP = "examples.leeward.dev"


class Greetings:
    """Greetings in one namespace, and the operator that looks after them."""

    def __init__(self, connection: client.ApiClient, kubeconfig: Path, namespace: str, log: Path) -> None:
        self.core = client.CoreV1Api(connection)
        self.custom = client.CustomObjectsApi(connection)
        self.where = (GROUP, "v1", namespace, "greetings")
        self.kubeconfig, self.namespace, self.log = kubeconfig, namespace, log

    @contextmanager
    def operator(self) -> Iterator[None]:
        """Run the operator; it says nothing of what went wrong but in its log."""
        program = str(EXAMPLE / "greetings.py")
        command = [sys.executable, "-m", "kopf", "run", "--namespace", self.namespace, program]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        with (
            self.log.open("w") as log,
            subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
        ):
            try:
                yield
            except AssertionError as error:
                error.add_note(self.log.read_text())
                raise
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(DEADLINE)

    def create(self, name: str, to: str) -> None:
        body = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Greeting",
            "metadata": {"name": name},
            "spec": {"to": to},
        }
        self.custom.create_namespaced_custom_object(*self.where, body)

    def when(self, name: str, done: Callable[[Any], bool]) -> Any:
        """Return a Greeting as soon as `done` says so."""
        listing = self.custom.list_namespaced_custom_object
        return first(listing, *self.where, fields=f"metadata.name={name}", done=lambda _, it: done(it))

    def wait_until_gone(self, listing: Any, *arguments: str, name: str) -> None:
        """Return when there is no object of that name."""
        fields = f"metadata.name={name}"
        found = listing(*arguments, field_selector=fields)
        if found["items"] if isinstance(found, dict) else found.items:
            first(listing, *arguments, fields=fields, done=lambda kind, _: kind == "DELETED")


def first(listing: Any, *arguments: str, fields: str, done: Callable[[str, Any], bool]) -> Any:
    """Return the object of the first event that is meant."""
    for event in watch.Watch().stream(listing, *arguments, field_selector=fields, timeout_seconds=DEADLINE):
        if done(event["type"], event["object"]):
            return event["object"]
    raise AssertionError(f"what was waited for did not come: {fields}")


@pytest.fixture(scope="module")
def greetings(
    kubeconfig: Path, namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Greetings]:
    with config.new_client_from_config(str(kubeconfig)) as connection:
        utils.create_from_yaml(connection, str(EXAMPLE / "definition.yaml"))
        first(
            client.ApiextensionsV1Api(connection).list_custom_resource_definition,
            fields=f"metadata.name=greetings.{GROUP}",
            done=lambda _, it: any(each.type == "Established" for each in it.status.conditions or []),
        )
        yield Greetings(connection, kubeconfig, namespace, tmp_path_factory.mktemp("kopf") / "log")


def message(greetings: Greetings, child: str) -> str:
    return str(greetings.core.read_namespaced_config_map(child, greetings.namespace).data["message"])


def made_and_handled(greetings: Greetings, name: str) -> Any:
    """Create a Greeting; returns it when the operator is through with it."""
    greetings.create(name, "world")

    def is_handled(found: Any) -> bool:
        return LAST_HANDLED in found["metadata"].get("annotations", {}) and "status" in found

    return greetings.when(name, is_handled)


def test_an_operator_makes_a_child_writes_a_status_and_follows_changes(greetings: Greetings) -> None:
    with greetings.operator():
        made = made_and_handled(greetings, "first")
        assert made["metadata"]["finalizers"] == [FINALIZER]
        assert '"to":"world"' in made["metadata"]["annotations"][LAST_HANDLED]
        assert made["status"]["message"] == "hello, world"
        child = made["status"]["child"]
        found = greetings.core.read_namespaced_config_map(child, greetings.namespace)
        (owner,) = found.metadata.owner_references
        assert (owner.uid, owner.controller) == (made["metadata"]["uid"], True)
        assert found.data == {"message": "hello, world"}

        change = {"spec": {"to": "moon"}}
        greetings.custom.patch_namespaced_custom_object(*greetings.where, "first", change)
        greetings.when("first", lambda it: it["status"]["message"] == "hello, moon")
        assert message(greetings, child) == "hello, moon"
    log = greetings.log.read_text()
    assert "Traceback" not in log, log


def test_what_an_operator_does_is_told_by_events(greetings: Greetings) -> None:
    with greetings.operator():
        made_and_handled(greetings, "told")
        said = first(
            greetings.core.list_namespaced_event,
            greetings.namespace,
            fields="involvedObject.name=told",
            done=lambda _, it: it.reason == "Greeted",
        )
        assert (said.type, said.message, said.source.component) == ("Normal", "hello, world", "kopf")


def test_a_deleted_object_goes_when_its_operator_is_through_and_takes_its_child_along(
    greetings: Greetings,
) -> None:
    with greetings.operator():
        child = made_and_handled(greetings, "going")["status"]["child"]
        made_and_handled(greetings, "kept")
    greetings.custom.delete_namespaced_custom_object(*greetings.where, "going")
    held = greetings.when("going", lambda it: True)
    assert held["metadata"]["deletionTimestamp"]  # and nobody is there to take the finalizer away
    assert message(greetings, child) == "hello, world"

    with greetings.operator():
        greetings.wait_until_gone(
            greetings.custom.list_namespaced_custom_object, *greetings.where, name="going"
        )
        greetings.wait_until_gone(greetings.core.list_namespaced_config_map, greetings.namespace, name=child)
        said = greetings.core.list_namespaced_event(greetings.namespace, field_selector="reason=Goodbye")
        assert [each.message for each in said.items] == ["goodbye, world"]
        kept = greetings.when("kept", lambda it: it["status"].get("resumed") == 1)
    assert message(greetings, kept["status"]["child"]) == "hello, world"
