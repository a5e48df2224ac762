from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward.compose.project import Healthcheck, Service
from leeward.render.renderers.ownname import asks_for_itself

Render = Callable[..., Any]
KAFKA = """
    services:
      kafka:
        image: x
        {more}
        expose: ["9092"]
        healthcheck: {{test: nc -z kafka 9092}}
    volumes: {{data: }}
"""


@pytest.mark.parametrize(
    ("test", "own"),
    [
        ("nc -z kafka 9092", True),
        ("curl http://kafka:8080/x", True),
        ("curl http://kafka/", True),
        ("wait kafka:9092", True),
        ("nc -z localhost 9092", False),
        ("kafka-topics --bootstrap-server localhost:9092", False),
        ("curl http://kafka-ui:80", False),
        ("cat /var/kafka:9", False),
        ("pgrep kafka", False),
    ],
)
def test_a_check_that_names_the_service_as_host_is_recognised(test: str, own: bool) -> None:
    check = Healthcheck(test=("CMD-SHELL", test))
    assert asks_for_itself(Service(name="kafka"), check) is own


@pytest.mark.parametrize("scale", [1, 3])
def test_pods_that_check_their_own_name_have_it_from_the_first_moment(
    scale: int, render_text: Render
) -> None:
    result = render_text(KAFKA.format(more=f"scale: {scale}"))
    assert result.pod("Deployment", "kafka")["hostname"] == "kafka"
    assert "asks-for-itself" not in result.codes()


def test_the_only_pod_of_a_stateful_set_is_found_by_its_service_before_it_is_ready(
    render_text: Render,
) -> None:
    result = render_text(KAFKA.format(more="volumes: ['data:/d']"))
    assert result.find("Service", "kafka")["spec"]["publishNotReadyAddresses"] is True
    assert "hostname" not in result.pod("StatefulSet", "kafka")
    assert "asks-for-itself" not in result.codes()


def test_several_pods_of_a_stateful_set_cannot_and_are_told(render_text: Render) -> None:
    result = render_text(KAFKA.format(more="volumes: ['data:/d']\n        scale: 3"))
    assert "asks-for-itself" in result.codes()
