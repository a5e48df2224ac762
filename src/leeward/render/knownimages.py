"""Public images whose user is a fact of their documentation, so that Pods can be as tight as they allow.

Only images that never are root are in the table, and names of users that Dockerfiles build upon. An image
that starts as root to take over its volume, as most databases do, is not: it would not start otherwise.

Source: the images' own Dockerfiles and documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

# repository, without docker.io/library/ → number of the user that the image runs as
_USERS: Mapping[str, str] = {
    "apache/kafka": "1000",
    "cloudflare/cloudflared": "65532",
    "confluentinc/cp-kafka": "1000",
    "confluentinc/cp-zookeeper": "1000",
    "curlimages/curl": "100",
    "docker.elastic.co/elasticsearch/elasticsearch": "1000",
    "docker.elastic.co/kibana/kibana": "1000",
    "docker.elastic.co/logstash/logstash": "1000",
    "dpage/pgadmin4": "5050",
    "elasticsearch": "1000",
    "grafana/grafana": "472",
    "grafana/loki": "10001",
    "grafana/tempo": "10001",
    "jenkins/jenkins": "1000",
    "kibana": "1000",
    "logstash": "1000",
    "mcr.microsoft.com/azure-sql-edge": "10001",
    "mcr.microsoft.com/mssql/server": "10001",
    "memcached": "11211",
    "nginxinc/nginx-unprivileged": "101",
    "otel/opentelemetry-collector": "10001",
    "otel/opentelemetry-collector-contrib": "10001",
    "prom/alertmanager": "65534",
    "prom/node-exporter": "65534",
    "prom/prometheus": "65534",
    "quay.io/keycloak/keycloak": "1000",
    "solr": "8983",
}
# repository → users that it has: name → number, on Debian and on Alpine
_NAMES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "httpd": {"www-data": ("33", "82")},
    "mariadb": {"mysql": ("999", "")},
    "mongo": {"mongodb": ("999", "")},
    "mysql": {"mysql": ("999", "")},
    "nextcloud": {"www-data": ("33", "82")},
    "nginx": {"nginx": ("101", "101")},
    "node": {"node": ("1000", "1000")},
    "php": {"www-data": ("33", "82")},
    "postgres": {"postgres": ("999", "70")},
    "redis": {"redis": ("999", "999")},
    "wordpress": {"www-data": ("33", "82")},
}
_DISTROLESS = "gcr.io/distroless/"
_NONROOT = "65532"
_DOTNET = "mcr.microsoft.com/dotnet/"
_DOTNET_USER = "1654"  # from .NET 8 on, which sets APP_UID to it
_COMMON_NAMES = {"root": "0"}


def repository_of(image: str) -> str:
    """Return the repository of an image reference, without tag, digest and the default registry."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    return name.removeprefix("docker.io/").removeprefix("library/")


def known_user(image: str) -> str | None:
    """Return the number of the user that `image` runs as; None when it is root or not known."""
    repository = repository_of(image)
    if repository.startswith(_DISTROLESS):
        return _NONROOT if ":" in image and image.rpartition(":")[2].endswith("nonroot") else None
    return _USERS.get(repository)


def known_names(image: str) -> Mapping[str, str]:
    """Return the users that `image` has, name → number, as far as they are known."""
    repository = repository_of(image)
    if repository.startswith(_DISTROLESS):
        return {**_COMMON_NAMES, "nonroot": _NONROOT}
    if repository.startswith(_DOTNET):
        return {**_COMMON_NAMES, "app": _DOTNET_USER}
    alpine = "alpine" in image.partition("@")[0].rpartition(":")[2]
    names = {name: numbers[alpine] for name, numbers in _NAMES.get(repository, {}).items()}
    return {**_COMMON_NAMES, **{name: number for name, number in names.items() if number}}


def known_variables(image: str) -> Mapping[str, str]:
    """Return the variables of `image` that Dockerfiles name users by."""
    return {"APP_UID": _DOTNET_USER} if repository_of(image).startswith(_DOTNET) else {}
