"""What an admission plugin is: functions for some operations on some resources, in three phases.

``admit`` may change what is written; all plugins have their turn before the object is validated. ``validate``
only refuses, once nothing changes any more. ``charge`` comes last, and returns what to do when the write is
certain, such as taking from a quota.

Source: k8s.io/apiserver/pkg/admission/interfaces.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.base.clock import PassiveClock
from leeward.base.ids import IdSource
from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.kube.objects import Obj

Admit = Callable[[Attributes], Obj]
Settle = Callable[[], None]
Validate = Callable[[Attributes], None]
Charge = Callable[[Attributes], Settle | None]

# A changed document as an object of an apiVersion and kind, and the fields that these do not have.
# ValueError: it is none.
Fit = Callable[[Any, str, str], tuple[Any, Sequence[str]]]

EVERY = "*"  # every resource, or subresource


def as_is(document: Any, api_version: str, kind: str) -> tuple[Any, Sequence[str]]:
    """Take a document as it is."""
    return document, ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionOptions:
    """Flags of admission."""

    default_toleration_seconds: int = 300
    disabled: Collection[str] = ()  # plugins that are off
    extra_token_bundles: Sequence[tuple[str, str]] = ()  # (ConfigMap, key) mounted next to a Pod's token
    fit: Fit = as_is  # of what policies change


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginContext:
    """Everything a plugin may touch."""

    reader: Reader
    clock: PassiveClock
    ids: IdSource
    options: AdmissionOptions
    update: Callable[[str, Obj], Obj]  # writes an object past the rules
    rbac: Rbac


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """What a plugin does about some writes."""

    operations: Collection[str]
    resources: Collection[str] = (EVERY,)  # "deployments.apps"
    subresources: Collection[str] = ("",)
    admit: Admit | None = None
    validate: Validate | None = None
    charge: Charge | None = None

    def handles(self, operation: str, resource: str, subresource: str) -> bool:
        """Tell whether it has a say in such a write."""
        return (
            operation in self.operations
            and (resource in self.resources or EVERY in self.resources)
            and (subresource in self.subresources or EVERY in self.subresources)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginDescriptor:
    """One row of the catalog."""

    name: str  # upstream's
    build: Callable[[PluginContext], Sequence[Handler]] = field(repr=False)
