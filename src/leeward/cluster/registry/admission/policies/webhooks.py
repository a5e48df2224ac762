"""Match conditions of webhooks.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/generic/webhook.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.policies.expressions import (
    MatchError,
    asking,
    conditions_hold,
    seen,
)
from leeward.cluster.registry.admission.webhooks.dispatch import Conditions
from leeward.kube.objects import Obj


def conditions_of_webhook(reader: Reader, rbac: Rbac) -> Conditions:
    """Return what tells whether the match conditions of a webhook hold for a write."""

    def hold(spec: Obj, write: Attributes) -> bool:
        try:
            with asking(rbac):
                return conditions_hold(spec["matchConditions"], seen(write, write.resource.version, reader))
        except MatchError as error:
            if spec.get("failurePolicy") == "Ignore":
                return False
            raise write.forbidden(str(error)) from error

    return hold
