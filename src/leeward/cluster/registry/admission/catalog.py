"""The admission plugins, in upstream's order; those that are on by default there, and NodeRestriction.

Source: pkg/kubeapiserver/options/plugins.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence

from leeward.cluster.registry.admission.plugin import PluginDescriptor
from leeward.cluster.registry.admission.plugins import (
    certificates,
    defaultingressclass,
    defaulttolerationseconds,
    limitranger,
    namespacelifecycle,
    noderestriction,
    nodetaint,
    podsecurity,
    podtopologylabels,
    priority,
    resize,
    resourcequota,
    roleescalation,
    runtimeclass,
    serviceaccount,
    storageclass,
    storageprotection,
)

PLUGINS: Sequence[PluginDescriptor] = (
    namespacelifecycle.DESCRIPTOR,
    limitranger.DESCRIPTOR,
    serviceaccount.DESCRIPTOR,
    noderestriction.DESCRIPTOR,
    nodetaint.DESCRIPTOR,
    podsecurity.DESCRIPTOR,
    priority.DESCRIPTOR,
    defaulttolerationseconds.DESCRIPTOR,
    storageclass.DESCRIPTOR,
    storageprotection.DESCRIPTOR,
    resize.DESCRIPTOR,
    runtimeclass.DESCRIPTOR,
    *certificates.DESCRIPTORS,
    defaultingressclass.DESCRIPTOR,
    podtopologylabels.DESCRIPTOR,
    roleescalation.DESCRIPTOR,
    resourcequota.DESCRIPTOR,
)
