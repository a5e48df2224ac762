"""``leeward.yaml``: the environments of an application, and the clusters they are on.

Every field says what it means; ``docs/leeward-yaml.md`` and the JSON schema of editors are made of that. What
must hold between them is in ``configrules``. Keys are written as in Compose files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from leeward.settings.base import (
    Count,
    FilePart,
    Label,
    Short,
    Strings,
    Variable,
    Whole,
    Word,
    doc,
)
from leeward.settings.times import Duration, FreezeWindow
from leeward.settings.verification import EnvironmentVerification

FILE_NAME = "leeward.yaml"
LOCAL_CLUSTER = "local"  # there without being written: the embedded one
Access = Literal["none", "view", "edit", "promote", "admin"]
PreviewAccess = Literal["none", "view", "edit", "admin"]
LONGEST_PREVIEW = 366 * 24 * 3600.0  # seconds
_REGISTRY_WANTED = "a registry, and a path in it, such as registry.example.com/team"
_LABEL, _PORT = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", r":[0-9]{1,5}"
_REGISTRY = (
    rf"(https?://)?(localhost({_PORT})?|{_LABEL}{_PORT}|{_LABEL}(\.{_LABEL})+({_PORT})?|\[[0-9a-f:]+\]({_PORT})?)"
    r"(/[a-z0-9]+([-._]+[a-z0-9]+)*)*/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded(FilePart):
    """leeward's own cluster on one machine. ``true`` for three zones of two nodes."""

    zones: Annotated[int, Whole(1, 9)] = field(
        default=3, metadata=doc("How many availability zones.", example=3)
    )
    nodes_per_zone: Annotated[int, Whole(1, 50)] = field(
        default=2, metadata=doc("How many nodes in each.", example=2)
    )


ClusterEmbedded = Annotated[
    Embedded, Short("true, or a mapping with zones and nodes_per_zone", {bool: lambda on: {} if on else None})
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster(FilePart):
    """Where environments are; exactly one of the three."""

    embedded: ClusterEmbedded | None = field(
        default=None,
        metadata=doc("leeward's own cluster, of this name.", example={"zones": 3, "nodes_per_zone": 2}),
    )
    context: str | None = field(
        default=None, metadata=doc("A context of your kubeconfig.", example="eks-staging")
    )
    spec: str | None = field(
        default=None,
        metadata=doc(
            "The file that describes a cluster that leeward makes.", example="clusters/prod-use1/cluster.yaml"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment(FilePart):
    """One place a release goes to."""

    cluster: str = field(
        default=LOCAL_CLUSTER, metadata=doc("One of `clusters`; `local` is always one.", example="staging")
    )
    from_: str | None = field(
        default=None,
        metadata=doc("The environment that a release comes from; without it, from the build.", example="ci"),
    )
    compose: Strings = field(
        default=(),
        metadata=doc("Compose files laid over those of the application.", example=["compose.qa.yaml"]),
    )
    variables: dict[str, Variable] = field(
        default_factory=dict,
        metadata=doc(
            "Variables of the Compose files; the shell's win, `env_file` and `.env` do not.",
            example={"LOG_LEVEL": "info"},
        ),
    )
    env_file: Strings = field(
        default=(), metadata=doc("Files with variables, instead of `.env`.", example=["qa.env"])
    )
    profiles: Strings = field(
        default=(), metadata=doc("Compose profiles that are enabled.", example=["monitoring"])
    )
    namespace: Label | None = field(
        default=None, metadata=doc("Without it, `<app>-<environment>`.", example="storefront-qa")
    )
    size: str | None = field(
        default=None,
        metadata=doc("The size of services that do not say theirs; see `x-leeward`.", example="small"),
    )
    replicas: dict[str, Count] = field(
        default_factory=dict,
        metadata=doc("How many Pods a service has here, whatever its file says.", example={"web": 3}),
    )
    verify: tuple[EnvironmentVerification, ...] = field(
        default=(),
        metadata=doc(
            "What must succeed after a release.",
            example=["smoke-tests", {"http": "/healthz", "service": "web"}],
        ),
    )
    approvals: Count = field(
        default=0, metadata=doc("How many people must agree before a release comes here.", example=1)
    )
    soak: Duration = field(
        default=0.0,
        metadata=doc("How long a release must have been good where it comes from.", example="2h"),
    )
    freeze: tuple[FreezeWindow, ...] = field(
        default=(),
        metadata=doc(
            "Windows of the week without releases; the time zone is UTC when left out.",
            example=["Fri 16:00/Mon 08:00 America/New_York"],
        ),
    )
    access: dict[str, Access] = field(
        default_factory=dict,
        metadata=doc(
            "What groups of people may do: `view` reads all but Secrets, `edit` also changes what runs, "
            "`promote` reads and lets releases in, `admin` everything.",
            example={"developers": "view", "devops": "admin"},
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Previews(FilePart):
    """What ``leeward up --preview NAME`` makes: the project with a namespace and an end of its own."""

    cluster: str = field(
        default=LOCAL_CLUSTER, metadata=doc("One of `clusters`; `local` is always one.", example="staging")
    )
    like: str | None = field(
        default=None,
        metadata=doc(
            "The environment whose Compose files, variables, profiles, size and replicas they have; "
            "without it, as `leeward up` has them.",
            example="qa",
        ),
    )
    ttl: Duration = field(
        default=48 * 3600.0,
        metadata=doc("How long one lives after it was last brought up; without it, 48 hours.", example="48h"),
    )
    access: dict[str, PreviewAccess] = field(
        default_factory=dict,
        metadata=doc(
            "What groups of people may do in the namespace of each, as in an environment.",
            example={"developers": "edit"},
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(FilePart):
    """An application, from the build to its customers."""

    app: (
        Annotated[str, Word(r"[a-z0-9][a-z0-9_-]*", "a name of lower-case letters, digits, _ and -", 63)]
        | None
    ) = field(
        default=None,
        metadata=doc("Its name; without it, Compose's project name.", example="storefront"),
    )
    compose: Strings = field(
        default=(),
        metadata=doc(
            "Its Compose files, from here; without them, the one that Compose finds.",
            example=["compose.yaml"],
        ),
    )
    registry: Annotated[str, Word(_REGISTRY, _REGISTRY_WANTED)] | None = field(
        default=None,
        metadata=doc(
            "Where `leeward release create` pushes what is built without an `image:`, or with one of a "
            "single word; `http://` before one without TLS.",
            example="registry.example.com/team",
        ),
    )
    environments: dict[str, Environment] = field(
        default_factory=dict, metadata=doc("Its environments.", example={"ci": {}, "qa": {"from": "ci"}})
    )
    clusters: dict[str, Cluster] = field(
        default_factory=dict,
        metadata=doc("The clusters that environments name.", example={"staging": {"context": "eks-staging"}}),
    )
    previews: Previews = field(
        default=Previews(),
        metadata=doc("How previews of pull requests are made.", example={"cluster": "staging", "like": "qa"}),
    )

    def cluster_of(self, environment: Environment) -> Cluster:
        """Return the cluster of an environment whose cluster is known."""
        known: Mapping[str, Cluster] = {LOCAL_CLUSTER: Cluster(embedded=Embedded()), **self.clusters}
        return known[environment.cluster]
