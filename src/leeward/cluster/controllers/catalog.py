"""The controllers of the cluster, in the order in which they start."""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.controllers.clusterroleaggregation import controller as clusterroleaggregation
from leeward.cluster.controllers.cronjob import controller as cronjob
from leeward.cluster.controllers.csrapproving import controller as csrapproving
from leeward.cluster.controllers.csrcleaner import controller as csrcleaner
from leeward.cluster.controllers.csrsigning import controller as csrsigning
from leeward.cluster.controllers.daemonset import controller as daemonset
from leeward.cluster.controllers.deployment import controller as deployment
from leeward.cluster.controllers.disruption import controller as disruption
from leeward.cluster.controllers.endpoint import controller as endpoint
from leeward.cluster.controllers.endpointslice import controller as endpointslice
from leeward.cluster.controllers.endpointslicemirroring import controller as endpointslicemirroring
from leeward.cluster.controllers.ephemeralvolume import controller as ephemeralvolume
from leeward.cluster.controllers.framework.controller import ControllerDescriptor
from leeward.cluster.controllers.garbagecollector import controller as garbagecollector
from leeward.cluster.controllers.job import controller as job
from leeward.cluster.controllers.namespace import controller as namespace
from leeward.cluster.controllers.nodelifecycle import controller as nodelifecycle
from leeward.cluster.controllers.persistentvolume import controller as persistentvolume
from leeward.cluster.controllers.podautoscaler import controller as podautoscaler
from leeward.cluster.controllers.podgc import controller as podgc
from leeward.cluster.controllers.pvcprotection import controller as pvcprotection
from leeward.cluster.controllers.pvprotection import controller as pvprotection
from leeward.cluster.controllers.replicaset import controller as replicaset
from leeward.cluster.controllers.replicationcontroller import controller as replicationcontroller
from leeward.cluster.controllers.resourcequota import controller as resourcequota
from leeward.cluster.controllers.rootcacertpublisher import controller as rootcacertpublisher
from leeward.cluster.controllers.serviceaccount import controller as serviceaccount
from leeward.cluster.controllers.serviceaccounttoken import controller as serviceaccounttoken
from leeward.cluster.controllers.statefulset import controller as statefulset
from leeward.cluster.controllers.tainteviction import controller as tainteviction
from leeward.cluster.controllers.ttl import controller as ttl
from leeward.cluster.controllers.ttlafterfinished import controller as ttlafterfinished

CONTROLLERS: Sequence[ControllerDescriptor] = (
    serviceaccount.DESCRIPTOR,
    serviceaccounttoken.DESCRIPTOR,
    rootcacertpublisher.DESCRIPTOR,
    clusterroleaggregation.DESCRIPTOR,
    namespace.DESCRIPTOR,
    job.DESCRIPTOR,
    daemonset.DESCRIPTOR,
    nodelifecycle.DESCRIPTOR,
    tainteviction.DESCRIPTOR,
    ttl.DESCRIPTOR,
    podgc.DESCRIPTOR,
    persistentvolume.DESCRIPTOR,
    pvcprotection.DESCRIPTOR,
    pvprotection.DESCRIPTOR,
    ephemeralvolume.DESCRIPTOR,
    deployment.DESCRIPTOR,
    ttlafterfinished.DESCRIPTOR,
    cronjob.DESCRIPTOR,
    replicaset.DESCRIPTOR,
    replicationcontroller.DESCRIPTOR,
    statefulset.DESCRIPTOR,
    podautoscaler.DESCRIPTOR,
    endpoint.DESCRIPTOR,
    endpointslice.DESCRIPTOR,
    endpointslicemirroring.DESCRIPTOR,
    disruption.DESCRIPTOR,
    resourcequota.DESCRIPTOR,
    csrapproving.DESCRIPTOR,
    csrsigning.DESCRIPTOR,
    csrcleaner.DESCRIPTOR,
    garbagecollector.DESCRIPTOR,
)
