"""A service of Convox → a Compose service, one function for every group of keys.

Defaults are those of Convox, written out where Compose or leeward have others.

Source: the manifest package and the service template of Convox 3.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from leeward.compose.interpolate import TemplateError, substitute

Entry = Mapping[str, Any]
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_VALUES = dict[str, str]().get
_NGINX = "nginx.ingress.kubernetes.io/"


def escaped(text: str) -> str:
    """Return `text` for a Compose file: Convox substitutes only ``${NAME}``."""
    return re.sub(r"\$(?!\{)", "$$", text)


def words(command: str) -> list[str]:
    """Return a command line as the list that Compose runs without a shell."""
    return [escaped(word) for word in shlex.split(command)]


def environment(declared: list[str], release: Mapping[str, str]) -> dict[str, str]:
    """Return variables: with a default, or required; what no ``.env`` can change has its value."""
    made: dict[str, str] = {}
    for each in declared:
        name, equals, default = each.partition("=")
        if name == "*":
            others = sorted(key for key in release if is_variable(key))
            made = {**{key: f"${{{key}-}}" for key in others}, **made}
        elif equals:
            made[name] = _with_default(name, default) if can_vary(name, default) else escaped(default)
        else:
            made[name] = required(name)
    return made


def is_variable(name: str) -> bool:
    """Tell whether Compose can substitute a variable of that name."""
    return _NAME.fullmatch(name) is not None


def can_vary(name: str, default: str) -> bool:
    """Tell whether Compose can write "the variable `name`, else `default`"."""
    if not is_variable(name):
        return False
    text = _with_default(name, default)
    try:
        otherwise = substitute(escaped(default), _NO_VALUES)
        return substitute(text, _NO_VALUES) == otherwise and substitute(text, {name: ""}.get) == ""
    except TemplateError:
        return False


def _with_default(name: str, default: str) -> str:
    return f"${{{name}-{escaped(default)}}}"


def required(name: str) -> str:
    """Return the substitution of a variable that must have a value."""
    return f"${{{name}:?Set {name} in .env}}"


def _source(entry: Entry) -> dict[str, Any]:
    if entry.get("image"):
        return {"image": entry["image"]}
    build = entry.get("build") or "."
    if isinstance(build, str):
        return {"build": build}
    made: dict[str, Any] = {"context": build.get("path") or "."}
    if build.get("manifest"):
        made["dockerfile"] = build["manifest"]
    if build.get("args"):
        made["args"] = list(build["args"])
    return {"build": made}


def port_of(value: Any) -> tuple[int, str]:
    """Return number and scheme of a port; 0 when there is none."""
    if isinstance(value, dict):
        number, scheme = port_of(value.get("port"))
        return number, str(value.get("scheme") or scheme).lower()
    if value is None:
        return 0, "http"
    before, _, digits = str(value).rpartition(":")
    return (int(digits), before.lower() or "http") if digits.isdigit() else (0, "http")


def _ports(entry: Entry) -> dict[str, Any]:
    made: dict[str, Any] = {}
    port, scheme = port_of(entry.get("port"))
    exposed = [str(each).lower().removesuffix("/tcp") for each in entry.get("ports") or ()]
    if port and (entry.get("internal") or entry.get("internalRouter")):
        exposed.insert(0, str(port))
    elif port:
        made["ports"] = [{"target": port, "app_protocol": scheme}]
    if exposed:
        made["expose"] = list(dict.fromkeys(exposed))
    return made


def _lifetime(entry: Entry) -> dict[str, Any]:
    made: dict[str, Any] = {"init": entry.get("init", True)}
    grace = (entry.get("termination") or {}).get("grace", 30)
    made["stop_grace_period"] = f"{grace}s"
    hooks = entry.get("lifecycle") or {}
    for theirs, ours in (("postStart", "post_start"), ("preStop", "pre_stop")):
        if hooks.get(theirs):
            made[ours] = [{"command": words(hooks[theirs])}]
    first = entry.get("initContainer")
    if first:
        hook: dict[str, Any] = {"environment": {"INIT_CONTAINER": "true"}}
        if first.get("image"):
            hook["image"] = first["image"]
        if first.get("command"):
            hook["command"] = words(first["command"])
        made["pre_start"] = [hook]
    return made


def bounds(entry: Entry) -> tuple[int, int]:
    """Return the least and the greatest number of Pods."""
    scale = entry.get("scale")
    if not isinstance(scale, dict):
        scale = {"count": scale}
    count = scale.get("count")
    low, _, high = str(1 if count is None else count).partition("-")
    least = int(low.removesuffix("+"))
    greatest = int(high or least)
    least = scale["min"] if scale.get("min") is not None else least
    return least, scale["max"] if scale.get("max") is not None else max(greatest, least)


def _sizes(scale: Entry) -> dict[str, Any]:
    limit = scale.get("limit") or {}
    cpu = scale.get("cpu") or limit.get("cpu") or 250
    memory = scale.get("memory") or limit.get("memory") or 512
    reserved: dict[str, Any] = {"cpus": f"{cpu / 1000:g}", "memory": f"{memory}M"}
    gpu = scale.get("gpu")
    if gpu:
        wanted = gpu if isinstance(gpu, dict) else {"count": gpu}
        device = {
            "driver": wanted.get("vendor", "nvidia"),
            "count": wanted.get("count", 1),
            "capabilities": ["gpu"],
        }
        reserved["devices"] = [device]
    made: dict[str, Any] = {"reservations": reserved}
    limits = {}
    if limit.get("cpu"):
        limits["cpus"] = f"{limit['cpu'] / 1000:g}"
    if limit.get("memory"):
        limits["memory"] = f"{limit['memory']}M"
    return {**made, "limits": limits} if limits else made


def _deploy(entry: Entry) -> dict[str, Any]:
    scale = entry["scale"] if isinstance(entry.get("scale"), dict) else {}
    replicas = bounds(entry)[0]
    still = bool(entry.get("agent") or entry.get("singleton"))
    deployment = entry.get("deployment") or {}
    minimum = deployment.get("minimum", 0 if still else 50)
    surge = deployment.get("maximum", 100 if still else 200) - 100
    share = surge if surge > 0 else 100 - minimum
    made: dict[str, Any] = {"mode": "global"} if entry.get("agent") else {"replicas": replicas}
    made["update_config"] = {
        "order": "start-first" if surge > 0 and not entry.get("agent") else "stop-first",
        "parallelism": max(1, math.ceil(max(replicas, 1) * share / 100)),
    }
    made["resources"] = _sizes(scale)
    return {"deploy": made}


def _security(entry: Entry) -> dict[str, Any]:
    context = entry.get("securityContext") or {}
    made: dict[str, Any] = {}
    if context.get("runAsUser") is not None:
        group = context.get("runAsGroup")
        made["user"] = str(context["runAsUser"]) + (f":{group}" if group is not None else "")
    if context.get("readOnlyRootFilesystem"):
        made["read_only"] = True
    options = []
    if context.get("allowPrivilegeEscalation") is False:
        options.append("no-new-privileges:true")
    if context.get("seccompProfile") == "Unconfined":
        options.append("seccomp:unconfined")
    if options:
        made["security_opt"] = options
    capabilities = context.get("capabilities") or {}
    for theirs, ours in (("add", "cap_add"), ("drop", "cap_drop")):
        if capabilities.get(theirs):
            made[ours] = list(capabilities[theirs])
    if entry.get("privileged"):
        made["privileged"] = True
    return made


def pairs(listed: Any) -> dict[str, str]:
    """Return annotations, which are written ``key=value`` or as mappings."""
    made: dict[str, str] = {}
    for each in listed or ():
        if isinstance(each, dict):
            made.update({str(key): str(value) for key, value in each.items()})
        else:
            key, _, value = str(each).partition("=")
            made[key] = value
    return made


def _meta(entry: Entry) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if entry.get("labels"):
        made["labels"] = {key: str(value) for key, value in entry["labels"].items()}
    if entry.get("annotations"):
        made["annotations"] = pairs(entry["annotations"])
    ndots = (entry.get("dnsConfig") or {}).get("ndots")
    if ndots:
        made["dns_opt"] = [f"ndots:{ndots}"]
    mounts = entry.get("configMounts")
    if mounts:
        made["configs"] = [
            {"source": each["id"], "target": f"{each['dir'].rstrip('/')}/{each['filename']}"}
            for each in mounts
        ]
    return made


def _command(entry: Entry) -> dict[str, Any]:
    return {"command": words(entry["command"])} if entry.get("command") else {}


GROUPS: tuple[Callable[[Entry], dict[str, Any]], ...] = (
    _source, _command, _ports, _lifetime, _meta, _security, _deploy,
)  # fmt: skip


def _probe(entry: Entry, check: Entry, failures: int) -> dict[str, Any]:
    port, _ = port_of(entry.get("port"))
    interval = check.get("interval", 5)
    return {
        "http": check.get("path") or "/",
        "port": port_of(check.get("port"))[0] or port,
        "initialDelaySeconds": check.get("grace", interval),
        "periodSeconds": interval,
        "timeoutSeconds": max(1, check.get("timeout", interval - 1)),
        "failureThreshold": check.get("failureThreshold", failures),
    }


def _probes(entry: Entry) -> dict[str, Any]:
    port, scheme = port_of(entry.get("port"))
    health = entry.get("health") or {}
    health = {"path": health} if isinstance(health, str) else health
    if not port:
        return {}
    if scheme == "grpc":
        if not entry.get("grpcHealthEnabled"):
            return {"readiness": False}
        probe = {
            "grpc": True,
            **{key: value for key, value in _probe(entry, health, 5).items() if key != "http"},
        }
        return {"readiness": probe, "liveness": probe}
    made: dict[str, Any] = {"readiness": False if health.get("disable") else _probe(entry, health, 3)}
    liveness = {"grace": 10, "interval": 5, "timeout": 5, **(entry.get("liveness") or {})}
    if liveness.get("path"):
        made["liveness"] = _probe(entry, liveness, 3)
    startup = {**liveness, "path": None, "port": None, **(entry.get("startupProbe") or {})}
    if startup.get("tcpSocketPort"):
        probe = _probe(entry, {**startup, "port": startup["tcpSocketPort"]}, 3)
        made["startup"] = {"tcp": True, **{key: value for key, value in probe.items() if key != "http"}}
    elif startup.get("path"):
        made["startup"] = _probe(entry, startup, 3)
    return made


def _ingress(entry: Entry) -> dict[str, Any]:
    if not port_of(entry.get("port"))[0]:
        return {}
    made: dict[str, Any] = {}
    domains = entry.get("domain") or ()
    hosts = domains.split(",") if isinstance(domains, str) else domains
    hosts = [host for each in hosts if (host := str(each).strip())]
    if hosts:
        made["hosts"] = [_VARIABLE.sub(lambda found: required(found[1]), host) for host in hosts]
        secret = (entry.get("certificate") or {}).get("id")
        made["tls"] = {"secret": secret} if secret else {"issuer": "letsencrypt"}
    notes: dict[str, str] = {}
    if entry.get("whitelist"):
        notes[f"{_NGINX}whitelist-source-range"] = entry["whitelist"]
    if entry.get("sticky"):
        notes[f"{_NGINX}affinity"] = "cookie"
    if entry.get("timeout"):
        notes |= {f"{_NGINX}proxy-{way}-timeout": str(entry["timeout"]) for way in ("read", "send")}
    if (entry.get("tls") or {}).get("redirect") is False:
        notes[f"{_NGINX}ssl-redirect"] = "false"
    notes |= pairs(entry.get("ingressAnnotations"))
    return {**made, "ingressAnnotations": notes} if notes else made


def _autoscale(entry: Entry) -> dict[str, Any]:
    scale = entry["scale"] if isinstance(entry.get("scale"), dict) else {}
    least, greatest = bounds(entry)
    targets = {key: value for key, value in (scale.get("targets") or {}).items() if key in ("cpu", "memory")}
    for key in ("cpu", "memory"):
        threshold = ((scale.get("autoscale") or {}).get(key) or {}).get("threshold")
        if threshold:
            targets[key] = round(threshold)
    if not targets or greatest <= least or entry.get("agent"):
        return {}
    return {"autoscale": {"min": max(1, least), "max": greatest, **targets}}


def settings(name: str, entry: Entry) -> dict[str, Any]:
    """Return ``x-leeward`` of a service."""
    made = {**_ingress(entry), **_probes(entry), **_autoscale(entry)}
    if entry.get("nodeSelectorLabels"):
        made["nodeSelector"] = {key: str(value) for key, value in entry["nodeSelectorLabels"].items()}
    if (entry.get("accessControl") or {}).get("awsPodIdentity"):
        made["serviceAccount"] = {"name": name}
    if entry.get("drain"):
        made["graceSeconds"] = entry["drain"]
    return made
