"""The clusters that the environments of ``leeward.yaml`` are on, and how to reach them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.errors import UserInputError
from leeward.cli import clusters
from leeward.cli.options import DEFAULT_CLUSTER
from leeward.kube.kubeconfig import load_access
from leeward.settings.config import LOCAL_CLUSTER

if TYPE_CHECKING:
    from leeward.cli.projects import Source
    from leeward.kube.client import KubeClient
    from leeward.kube.kubeconfig import Access
    from leeward.settings.config import Config


@dataclass(frozen=True, slots=True)
class Reach:
    """How a person wants clusters to be reached: options that most verbs have."""

    context: str | None = None  # of the kubeconfig, instead of that of leeward.yaml
    cluster: str = DEFAULT_CLUSTER  # the embedded one that is meant where there is no context


@dataclass(frozen=True, slots=True)
class Application:
    """What ``leeward.yaml`` says, and how to reach the clusters in it."""

    name: str
    config: Config
    reach: Reach

    def connect(self, environment: str) -> KubeClient:
        """Return a client of an environment's cluster; use it as an async context manager.

        Raises:
            UserInputError: ``leeward.yaml`` does not know the environment, or not how to reach its cluster.
            OperationError: the embedded cluster does not run.
        """
        from leeward.kube.client import KubeClient

        self.require(environment)
        return KubeClient(access_to(self.config, environment, self.reach))

    def place_of(self, environment: str) -> str:
        """Return what the cluster of a known environment is called, as it is reached."""
        if self.reach.context is not None:
            return self.reach.context
        written = self.config.environments[environment]
        known = written.cluster in (LOCAL_CLUSTER, *self.config.clusters)
        is_embedded = known and self.config.cluster_of(written).embedded is not None
        return embedded_name(written.cluster, self.reach) if is_embedded else written.cluster

    def require(self, environment: str) -> None:
        """Refuse an environment that is not written.

        Raises:
            UserInputError: it is not; says which are.
        """
        from leeward.compose.findings import did_you_mean

        known = self.config.environments
        if environment not in known:
            there = f"leeward.yaml has {', '.join(known)}." if known else "leeward.yaml has none."
            raise UserInputError(
                f"there is no environment {environment!r}",
                remedy=did_you_mean(environment, known) or there,
            )


def open_application(source: Source, reach: Reach) -> Application:
    """Read ``leeward.yaml``; the application's name is its `app`, else that of the Compose project.

    Raises:
        DiagnosticsError: it, or the Compose files, cannot be used.
        UserInputError: there is no ``leeward.yaml`` here or above.
    """
    from leeward.cli.projects import config_of, load_options
    from leeward.compose.load import find_project_name

    config = config_of(source)
    if config is None:
        raise UserInputError(
            "there is no leeward.yaml here or in a directory above",
            remedy="`leeward init` writes one; environments are written there.",
        )
    return Application(config.app or find_project_name(load_options(source)), config, reach)


def embedded_name(written: str, reach: Reach) -> str:
    """Return which embedded cluster is meant: that of the command line, else the one of `written`'s name.

    Args:
        written: the name in ``leeward.yaml``.
        reach: what the command line says.
    """
    return written if reach.cluster == DEFAULT_CLUSTER else reach.cluster


def access_to(config: Config | None, environment: str, reach: Reach) -> Access:
    """Return how to reach the context named, else the cluster of the environment, else the embedded one.

    Raises:
        UserInputError: nothing says how.
        OperationError: the embedded cluster does not run.
    """
    context, embedded = reach.context, reach.cluster
    known = config.environments.get(environment) if config else None
    if context is None and known is not None and config is not None:
        place = config.cluster_of(known)
        context = place.context
        embedded = embedded_name(known.cluster, reach)
        if place.spec is not None:
            from leeward.cli.eks import access_to_spec

            return access_to_spec(place.spec)
        if context is None and place.embedded is None:
            raise UserInputError(
                f"leeward.yaml does not say how to reach the cluster of {environment}",
                remedy="Name the context of your kubeconfig with --context.",
            )
    if context is None:
        return load_access(clusters.require_running(embedded).kubeconfig)
    return access_of(context)


def access_of(context: str) -> Access:
    """Return how to reach the cluster of a context of the user's kubeconfig.

    Raises:
        UserInputError: there is no such context, or it is broken.
    """
    named = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    found = load_access([Path(part) for part in named.split(os.pathsep) if part], context=context)
    if not found.exec:
        return found
    from leeward.base.clock import SystemClock
    from leeward.kube.execplugin import with_plugin

    return with_plugin(found, os.environ, SystemClock())
