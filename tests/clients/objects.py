"""What every client creates: a Pod to talk to, a Deployment, the definition of a custom resource."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live import NEEDS_PODS

Manifest = dict[str, Any]

# Clients leave sockets and threads behind; what they warn of is theirs, not the server's.
CLIENT = [
    *NEEDS_PODS,
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
DEADLINE = 30  # seconds; whatever is waited for takes a fraction of it
_SERVE = "echo hello > index.html; exec python -u -m http.server 8000"
_TICK = "i=0; while echo tick $i; do touch /tmp/ticking; i=$((i+1)); sleep 0.1; done"


def talker() -> Manifest:
    """Return a Pod that serves `hello` at 8000 (container `main`) and prints lines (`ticker`)."""
    ticking = ["test", "-f", "/tmp/ticking"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "talker", "labels": {"app": "talker"}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "main",
                    "image": "python:3.12",
                    "workingDir": "/tmp",
                    "command": ["sh", "-c", _SERVE],
                    "ports": [{"containerPort": 8000}],
                    "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
                },
                {
                    "name": "ticker",
                    "image": "busybox",
                    "command": ["sh", "-c", _TICK],
                    "readinessProbe": {"exec": {"command": ticking}, "periodSeconds": 1},
                },
            ],
        },
    }


def deployment(name: str, replicas: int = 1) -> Manifest:
    """Return a Deployment of Pods that sleep."""
    container = {"name": "main", "image": "busybox", "command": ["sleep", "600"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
            },
        },
    }


def config_map(name: str, **data: str) -> Manifest:
    """Return a ConfigMap with the label `app`."""
    metadata = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def definition(group: str) -> Manifest:
    """Return the definition of Widgets, with the subresources `status` and `scale`."""
    whole = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 0}}}
    seen = {"type": "object", "properties": {"size": {"type": "integer"}, "phase": {"type": "string"}}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": whole, "status": seen}}},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [version],
        },
    }


def widget(group: str, name: str, size: int) -> Manifest:
    """Return a Widget."""
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"size": size},
    }
