"""A small operator: every Greeting has a ConfigMap with its message, which goes when it goes.

Try it on a cluster of leeward's::

    pip install kopf kubernetes
    export KUBECONFIG=$(leeward kubeconfig --path)
    kubectl apply -f examples/operator/definition.yaml
    kopf run --namespace default examples/operator/greetings.py &
    kubectl apply -f examples/operator/greeting.yaml
    kubectl get greetings,configmaps
"""

from typing import Any

import kopf
from kubernetes import client

GREETINGS = "greetings.examples.leeward.dev"


def _message(spec: kopf.Spec) -> str:
    return f"hello, {spec['to']}"


@kopf.on.create(GREETINGS)
def create(body: kopf.Body, spec: kopf.Spec, patch: kopf.Patch, namespace: str, **_: Any) -> None:
    """Make the ConfigMap; that it is the Greeting's makes the garbage collector take it along."""
    child = {"metadata": {}, "data": {"message": _message(spec)}}
    kopf.adopt(child)  # owner, namespace, labels and a name that begins with the Greeting's
    made = client.CoreV1Api().create_namespaced_config_map(namespace, child)
    patch.status["message"] = _message(spec)
    patch.status["child"] = made.metadata.name
    kopf.info(body, reason="Greeted", message=_message(spec))


@kopf.on.update(GREETINGS, field="spec.to")
def update(spec: kopf.Spec, status: kopf.Status, patch: kopf.Patch, namespace: str, **_: Any) -> None:
    """Change the message where it is."""
    change = {"data": {"message": _message(spec)}}
    client.CoreV1Api().patch_namespaced_config_map(
        status["child"], namespace, change, _content_type="application/merge-patch+json"
    )
    patch.status["message"] = _message(spec)


@kopf.on.resume(GREETINGS)
def resume(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    """Count how often an operator that was started found the Greeting there already."""
    patch.status["resumed"] = status.get("resumed", 0) + 1


@kopf.on.delete(GREETINGS)
def delete(body: kopf.Body, **_: Any) -> None:
    """Say goodbye; until this is done the finalizer keeps the Greeting."""
    kopf.info(body, reason="Goodbye", message=f"goodbye, {body.spec['to']}")
