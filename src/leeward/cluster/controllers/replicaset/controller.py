"""ReplicaSets are what :mod:`framework.replicas` keeps."""

from __future__ import annotations

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.framework.replicas import ReplicasController, Replicated

REPLICA_SETS = Replicated("replicasets.apps", "ReplicaSet", tells_terminating=True)


def build(context: ControllerContext) -> ReplicasController:
    """Return the controller of ReplicaSets."""
    return ReplicasController(context, REPLICA_SETS)


DESCRIPTOR = ControllerDescriptor(name="replicaset-controller", build=build)
