"""A resource of Convox → a Compose service that keeps the contract ``<NAME>_URL``, ``_HOST`` and the rest.

The password is a required variable, ``<NAME>_PASS``: Convox makes one, a Compose file must not.

Source: the resource templates of Convox 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CONTRACT = ("URL", "USER", "PASS", "HOST", "PORT", "NAME")
_MANAGED = ("rds-", "elasticache-")


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of resource."""

    image: str
    version: str
    scheme: str
    port: int
    user: str = ""
    database: str = ""
    query: str = ""
    data: str = ""  # where the image keeps its data; "": it keeps none
    password_variable: str = ""
    more: tuple[tuple[str, str], ...] = ()
    check: tuple[str, ...] = ()  # () where the image has no program for it


_POSTGRES = (("POSTGRES_DB", "app"), ("POSTGRES_USER", "app"), ("PGDATA", "/var/lib/postgresql/data/data"))
_READY = ("CMD", "pg_isready", "-h", "127.0.0.1", "-U", "app", "-d", "app")


def _postgres(image: str, version: str) -> Kind:
    data = "/var/lib/postgresql/data"
    return Kind(
        image,
        version,
        "postgres",
        5432,
        "app",
        "app",
        "?sslmode=disable",
        data,
        "POSTGRES_PASSWORD",
        _POSTGRES,
        _READY,
    )


def _mysql(image: str, version: str, program: str) -> Kind:
    check = ("CMD-SHELL", f'{program} ping -h 127.0.0.1 -p"$$MYSQL_ROOT_PASSWORD"')
    database = (("MYSQL_DATABASE", "app"),)
    return Kind(
        image,
        version,
        "mysql",
        3306,
        "root",
        "app",
        "",
        "/var/lib/mysql",
        "MYSQL_ROOT_PASSWORD",
        database,
        check,
    )


KINDS = {
    "postgres": _postgres("postgres", "10.5"),
    "postgis": _postgres("postgis/postgis", "10-3.2"),
    "mysql": _mysql("mysql", "5.7.23", "mysqladmin"),
    "mariadb": _mysql("mariadb", "10.6.0", "mysqladmin"),
    "redis": Kind("redis", "4.0.10", "redis", 6379, check=("CMD", "redis-cli", "ping")),
    "memcached": Kind("memcached", "1.4.34", "memcached", 11211),
}


def kind_of(type_: str) -> Kind | None:
    """Return the kind of a type, managed or not; None when there is none."""
    for prefix in _MANAGED:
        type_ = type_.removeprefix(prefix)
    return KINDS.get(type_)


def is_managed(type_: str) -> bool:
    """Return whether a type is a service of the cloud."""
    return type_.startswith(_MANAGED)


def variable(resource: str, suffix: str) -> str:
    """Return the name of a variable of the contract."""
    return f"{resource.upper().replace('-', '_')}_{suffix}"


def contract(resource: str, host: str, kind: Kind) -> dict[str, str]:
    """Return the variables that a service gets that links `resource`, reachable at `host`."""
    password = _password(resource) if kind.user else ""
    login = f"{kind.user}:{password}@" if kind.user else ""
    path = f"/{kind.database}{kind.query}" if kind.database else ""
    values = {
        "URL": f"{kind.scheme}://{login}{host}:{kind.port}{path}",
        "USER": kind.user,
        "PASS": password,
        "HOST": host,
        "PORT": str(kind.port),
        "NAME": kind.database,
    }
    return {variable(resource, suffix): values[suffix] for suffix in CONTRACT}


def service(resource: str, host: str, entry: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """Return the Compose service of a resource."""
    options = {key: str(value) for key, value in (entry.get("options") or {}).items()}
    made: dict[str, Any] = {
        "image": entry.get("image") or f"{kind.image}:{options.get('version', kind.version)}"
    }
    if kind.password_variable:
        made["environment"] = {**dict(kind.more), kind.password_variable: _password(resource)}
    made["expose"] = [str(kind.port)]
    if kind.data:
        made["volumes"] = [f"{host}-data:{kind.data}"]
    if kind.check:
        made["healthcheck"] = {"test": list(kind.check), "interval": "5s", "timeout": "4s", "retries": 12}
    else:
        made["x-leeward"] = {"readiness": {"tcp": True, "port": kind.port}}
    limits = {}
    if "cpu" in options:
        limits["cpus"] = f"{int(options['cpu']) / 1000:g}"
    if "mem" in options:
        limits["memory"] = f"{options['mem']}M"
    if limits:
        made["deploy"] = {"resources": {"limits": limits}}
    return made


def volume(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the volume of a resource that keeps data."""
    size = (entry.get("options") or {}).get("storage") or 10
    return {"x-leeward": {"size": f"{size}Gi"}}


def _password(resource: str) -> str:
    name = variable(resource, "PASS")
    return f"${{{name}:?Set {name} in .env}}"
