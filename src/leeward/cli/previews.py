"""Which preview a verb is about, where previews are, and what makes one distinct from all others.

A preview is the project under another name, ``<app>-preview-<name>``, which is its namespace too. It
publishes no ports on a host, which has one of each number. The hosts of ``x-leeward`` begin with the
preview's name and a hyphen, so that a certificate for ``*.example.com`` holds for them; those of an embedded
cluster are below its namespace.

Source: publicsuffix.org, for the forms of domains that are registries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leeward.base.errors import UserInputError
from leeward.cli.options import DEFAULT_CLUSTER
from leeward.compose.project import Service
from leeward.delivery.previews import Preview, namespace_of
from leeward.kube.objects import Obj, annotations_of
from leeward.render.naming import MAX_LABEL, digest
from leeward.settings.applied import LOCAL
from leeward.settings.config import LOCAL_CLUSTER, LONGEST_PREVIEW, Config, Previews
from leeward.settings.read import KEY
from leeward.settings.times import parse_seconds

if TYPE_CHECKING:
    from leeward.cli.projects import Opened, Source
    from leeward.kube.client import KubeClient

VARIABLE = "LEEWARD_PREVIEW"  # of the Compose files of a preview: its name on the cluster
_OWN = frozenset(("localhost", "local", "internal", "test"))  # top-level domains that nobody sells names of
_SHARED = frozenset(("ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"))  # as in co.uk
_ALB_CERTIFICATE = "alb.ingress.kubernetes.io/certificate-arn"


@dataclass(frozen=True, slots=True)
class Place:
    """The cluster that previews are on."""

    context: str | None = None  # of the user's kubeconfig; None: an embedded cluster
    cluster: str = DEFAULT_CLUSTER  # the embedded one
    spec: str | None = None  # of a cluster of EKS, instead

    @property
    def is_embedded(self) -> bool:
        """Whether it is leeward's own."""
        return self.context is None and self.spec is None

    def connect(self) -> KubeClient:
        """Return a client; use it as an async context manager.

        Raises:
            UserInputError: there is no such context.
            OperationError: the embedded cluster does not run.
        """
        from leeward.cli.clusters import require_running
        from leeward.cli.hub import access_of
        from leeward.kube.client import KubeClient
        from leeward.kube.kubeconfig import load_access

        if self.context is not None:
            return KubeClient(access_of(self.context))
        if self.spec is not None:
            from leeward.cli.eks import access_to_spec

            return KubeClient(access_to_spec(self.spec))
        return KubeClient(load_access(require_running(self.cluster).kubeconfig))

    def http_port(self) -> int | None:
        """Return the port that hosts are reached at; None for the usual ones."""
        from leeward.cli.clusters import state_of

        return int(state_of(self.cluster).load()["ingressPort"]) if self.is_embedded else None


@dataclass(frozen=True, slots=True)
class Home:
    """The application whose previews are meant, and where they are."""

    app: str
    settings: Previews
    place: Place
    registry: str = ""  # where images are pushed that name none

    @property
    def environment(self) -> str:
        """The environment that previews are like."""
        return self.settings.like or LOCAL


def find_home(source: Source, cluster: str | None, context: str | None) -> Home:
    """Return whose previews a verb is about.

    Args:
        source: where the project comes from.
        cluster: of leeward.yaml, or an embedded one; None: as leeward.yaml says.
        context: of the kubeconfig, instead.

    Raises:
        DiagnosticsError: leeward.yaml cannot be used, or the files do not tell the project's name.
        UserInputError: leeward.yaml does not say how to reach the cluster.
    """
    from leeward.cli.projects import config_of, load_options
    from leeward.compose.load import find_project_name

    config = config_of(source)
    settings = config.previews if config is not None else Previews()
    app = source.project_name or find_project_name(load_options(source, settings.like or LOCAL))
    registry = (config.registry if config is not None else None) or ""
    return Home(app, settings, _place(config, cluster or settings.cluster, context), registry)


def _place(config: Config | None, cluster: str, context: str | None) -> Place:
    known = config.clusters.get(cluster) if config is not None else None
    context = context or (known.context if known is not None else None)
    if context is not None:
        return Place(context=context)
    if known is not None and known.spec is not None:
        return Place(spec=known.spec)
    if known is not None and known.embedded is None:
        raise UserInputError(
            f"leeward.yaml does not say how to reach the cluster {cluster}",
            remedy="Name the context of your kubeconfig with --context.",
        )
    return Place(cluster=DEFAULT_CLUSTER if cluster == LOCAL_CLUSTER else cluster)


def seconds_of(ttl: str | None, settings: Previews) -> float:
    """Return how long a preview lives, of ``--ttl``, else of ``leeward.yaml``.

    Raises:
        UserInputError: it is no duration, nothing, or longer than a year.
    """
    if ttl is None:
        return settings.ttl
    try:
        seconds = parse_seconds(ttl)
    except ValueError as error:
        raise UserInputError(f"--ttl {ttl} is not {error}") from error
    if not 0 < seconds <= LONGEST_PREVIEW:
        raise UserInputError(
            f"--ttl {ttl}: a preview lives for more than nothing and at most 366 days",
            remedy="Write a duration such as 48h; what stays is an environment.",
        )
    return seconds


def made_distinct(opened: Opened, app: str, label: str, *, embedded: bool) -> Opened:
    """Return a project such that it collides with nothing of the application or of its other previews."""
    namespace = namespace_of(app, label)
    services = {name: _distinct(service, label) for name, service in opened.project.services.items()}
    options = replace(
        opened.options, namespace=namespace, embedded=embedded, local_domain=f"{namespace}.localhost"
    )
    return replace(opened, project=replace(opened.project, services=services), options=options)


def _distinct(service: Service, label: str) -> Service:
    ports = tuple(replace(port, published=None) for port in service.ports)
    own = service.extensions.get(KEY)
    if not isinstance(own, Mapping) or "hosts" not in own:
        return replace(service, ports=ports)
    settings = {**own, "hosts": _renamed(own["hosts"], label)}
    return replace(service, ports=ports, extensions={**service.extensions, KEY: settings})


def _renamed(hosts: Any, label: str) -> Any:
    """Return hosts as they are written, one or a list; what is no text is left for who checks it."""
    if isinstance(hosts, str):
        return preview_host(hosts, label)
    return [_renamed(each, label) for each in hosts] if isinstance(hosts, list) else hosts


def preview_host(host: str, label: str) -> str:
    """Return the host of a preview: ``pr-12-shop.example.com`` for ``shop.example.com``.

    The host of a whole domain, and a wildcard, is one below it: ``pr-12.example.com`` for ``example.com``.
    """
    if host.startswith("*."):
        return f"*.{label}.{host[2:]}"
    first, dot, rest = host.partition(".")
    if dot and _is_suffix(rest):
        return f"{label}.{host}"
    name = f"{label}-{first}"
    if len(name) > MAX_LABEL:
        name = f"{name[: MAX_LABEL - 9].rstrip('-')}-{digest(name)}"
    return f"{name}{dot}{rest}"


def _is_suffix(domain: str) -> bool:
    """Tell whether names right below a domain are sold, as far as its form tells: ``com``, ``co.uk``."""
    labels = domain.split(".")
    shared = len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _SHARED
    return shared or (len(labels) == 1 and domain not in _OWN)


def urls_of(ingresses: Iterable[Obj], http_port: int | None) -> dict[str, list[str]]:
    """Return name of Ingress → where it leads from: one URL for each host and path.

    Args:
        ingresses: rendered or live.
        http_port: of an embedded cluster's ingress; None for the usual ports.
    """
    found: dict[str, list[str]] = {}
    for ingress in ingresses:
        spec = ingress.get("spec") or {}
        secure = {host for each in spec.get("tls") or () for host in each.get("hosts") or ()}
        everywhere = _ALB_CERTIFICATE in annotations_of(ingress)
        urls = found.setdefault(ingress["metadata"]["name"], [])
        for rule in spec.get("rules") or ():
            host = rule.get("host") or ""
            scheme = "https" if everywhere or host in secure else "http"
            port = f":{http_port}" if http_port is not None else ""
            paths = (rule.get("http") or {}).get("paths") or ()
            urls += [f"{scheme}://{host}{port}{(each.get('path') or '/').rstrip('/')}" for each in paths]
    return found


def span(preview: Preview, now: datetime) -> str:
    """Return when a preview ends, in words: ``in 47 h``, ``5 min ago``."""
    if preview.expires is None:
        return "unknown"
    seconds = (preview.expires - now).total_seconds()
    length = abs(seconds)
    text = f"{length / 3600:.0f} h" if length >= 5400 else f"{length / 60:.0f} min"
    return f"in {text}" if seconds > 0 else f"{text} ago"
