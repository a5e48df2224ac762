"""ReplicationControllers are kept as ReplicaSets are; their selector is a map of labels.

Source: pkg/controller/replication/replication_controller.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.framework.replicas import ReplicasController, Replicated

REPLICATION_CONTROLLERS = Replicated(
    "replicationcontrollers", "ReplicationController", tells_terminating=False
)


def build(context: ControllerContext) -> ReplicasController:
    """Return the controller of ReplicationControllers."""
    return ReplicasController(context, REPLICATION_CONTROLLERS)


DESCRIPTOR = ControllerDescriptor(
    name="replicationcontroller-controller", component="replication-controller", build=build
)
