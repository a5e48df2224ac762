"""Short forms → long forms, one function a form.

Each takes the node as written and returns the long form; what is already long passes through unchanged.
Of a list, every element that cannot be read is told, and the others are kept.

Source: Compose Specification, the "Short syntax" sections.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import TypeVar

from leeward.compose.node import Node, Tag, describe
from leeward.compose.scalars import scalar_text
from leeward.compose.shapes import MalformedError, PartlyMalformedError

T = TypeVar("T")
_MOUNT_FLAGS = {"rprivate", "private", "rshared", "shared", "rslave", "slave"}
_CONSISTENCY = {"consistent", "cached", "delegated"}
_PORT = re.compile(
    r"(?:(?:(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<v4>[^:\[\]]*)):)?(?P<published>[0-9]*(?:-[0-9]+)?):)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)"
    r"(?:/(?P<protocol>[A-Za-z]+))?\Z"
)


def _each(elements: list[Node], read: Callable[[Node], Iterable[T]]) -> tuple[list[T], list[MalformedError]]:
    """Read every element; return what came of them and what is wrong with the others."""
    found: list[T] = []
    errors: list[MalformedError] = []
    for element in elements:
        try:
            found.extend(read(element))
        except MalformedError as error:
            error.location = error.location or element.location
            errors.append(error)
    return found, errors


def _whole(node: Node, errors: list[MalformedError]) -> Node:
    """Return `node` when there are no errors.

    Raises:
        PartlyMalformedError: there are.
    """
    if errors:
        raise PartlyMalformedError(errors, node)
    return node


def strings(node: Node) -> Node:
    """Turn one string into a list of it."""
    return node.having([node]) if isinstance(node.value, str) else node


def words(node: Node) -> Node:
    """Split a command line as a shell would; a list stays."""
    if not isinstance(node.value, str):
        return node
    try:
        parts = shlex.split(node.value)
    except ValueError as error:
        raise MalformedError(
            f"The command line cannot be split: {error}.", "Close the quote, or write a list."
        ) from None
    return node.having([Node(part, node.location) for part in parts])


def shell_test(node: Node) -> Node:
    """Turn a health check's command line into ``["CMD-SHELL", …]``."""
    if not isinstance(node.value, str):
        return node
    return node.having([Node("CMD-SHELL", node.location), Node(node.value, node.location)])


def pairs(node: Node) -> Node:
    """Turn a list of ``KEY=value`` into a mapping; a lone KEY has no value."""
    return _to_mapping(node, "=")


def _to_mapping(node: Node, separator: str) -> Node:
    if not isinstance(node.value, list):
        return node

    def read(element: Node) -> Iterable[tuple[str, Node]]:
        if isinstance(element.value, (dict, list)) or element.value is None:
            raise MalformedError(
                f"An element is {describe(element)}, not KEY{separator}value.",
                "Write all elements as KEY=value, or write a mapping without dashes.",
            )
        key, found, value = scalar_text(element.value).partition(separator)
        yield key.strip() if found else key, Node(value if found else None, element.location)

    entries, errors = _each(node.value, read)
    return _whole(node.having(dict(entries)), errors)


def named(node: Node) -> Node:
    """Turn a list of names into a mapping of names to nothing."""
    if not isinstance(node.value, list):
        return node
    entries, errors = _each(node.value, lambda element: [(_name(element), Node(None, element.location))])
    return _whole(node.having(dict(entries)), errors)


def _name(element: Node) -> str:
    if not isinstance(element.value, str):
        raise MalformedError(f"An element is {describe(element)}, not a name.", "Write a list of names.")
    return element.value


def dependencies(node: Node) -> Node:
    """Turn ``depends_on: [db]`` into conditions."""
    if not isinstance(node.value, list):
        return node

    def read(element: Node) -> Iterable[tuple[str, Node]]:
        started = Node("service_started", element.location)
        required = Node(True, element.location)
        yield _name(element), Node({"condition": started, "required": required}, element.location)

    entries, errors = _each(node.value, read)
    return _whole(node.having(dict(entries)), errors)


def under(key: str) -> Callable[[Node], Node]:
    """Return an expansion of a string into a mapping with that string at `key`."""

    def expand(node: Node) -> Node:
        return node.having({key: Node(node.value, node.location)}) if isinstance(node.value, str) else node

    return expand


def env_files(node: Node) -> Node:
    """Turn one path into a list of one entry."""
    return node.having([node]) if isinstance(node.value, (str, dict)) else node


def hosts(node: Node) -> Node:
    """Turn ``host:ip``, ``host=ip`` and single addresses into host → list of addresses."""
    if not isinstance(node.value, list):
        entries = {host: strings(entry) for host, entry in node.items().items()}
        return node.having(entries) if entries else node
    pairs_of_hosts, errors = _each(node.value, _host)
    grouped: dict[str, Node] = {}
    for host, entry in pairs_of_hosts:
        previous = grouped[host].elements() if host in grouped else []
        grouped[host] = Node([*previous, entry], entry.location)
    return _whole(node.having(grouped), errors)


def _host(element: Node) -> Iterable[tuple[str, Node]]:
    text = _name(element)
    cut = "=" if "=" in text else ":"
    host, found, address = text.partition(cut)
    if not found or not host:
        raise MalformedError(f'"{text}" is not host=address.', 'Write "somehost=162.242.195.82".')
    yield host, Node(address.strip().removeprefix("[").removesuffix("]"), element.location)


def external(node: Node) -> Node:
    """Turn the retired ``external: {name: x}`` into ``external: true`` and ``name``."""
    inner = node.get("external")
    if inner is None or not isinstance(inner.value, dict):
        return node
    entries = dict(node.items())
    entries["external"] = Node(True, inner.location)
    if (name := inner.get("name")) is not None:
        entries.setdefault("name", name)
    return node.having(entries)


def ulimit(node: Node) -> Node:
    """Turn one number into soft and hard limits."""
    if isinstance(node.value, dict) or node.value is None:
        return node
    return node.having({"soft": Node(node.value, node.location), "hard": Node(node.value, node.location)})


def device(node: Node) -> Node:
    """Turn ``source:target:permissions`` into a mapping."""
    if not isinstance(node.value, str):
        return node
    parts = node.value.split(":")
    if len(parts) > 3 or not all(parts):
        raise MalformedError(f'"{node.value}" is not a device.', "Write /dev/source:/dev/target:rwm.")
    entries = dict(zip(("source", "target", "permissions"), parts, strict=False))
    return node.having({key: Node(value, node.location) for key, value in entries.items()})


def all_gpus(node: Node) -> Node:
    """Turn ``gpus: all`` into a request for every GPU."""
    if node.value != "all":
        return node
    request: dict[str, Node] = {
        "capabilities": Node([Node("gpu", node.location)], node.location),
        "count": Node(-1, node.location),
    }
    return node.having([Node(request, node.location)])


def all_devices(node: Node) -> Node:
    """Turn ``count: all`` of a device request into -1."""
    count = node.get("count")
    return node.setting(count=-1) if count is not None and count.value == "all" else node


def mount(node: Node) -> Node:
    """Turn ``[source:]target[:options]`` into a mount."""
    if not isinstance(node.value, str):
        return node
    spec = node.value
    parts = _split_mount(spec)
    if not all(parts) or len(parts) > 3:
        raise MalformedError(
            f'"{spec}" is not a volume.', 'Write "source:target" or "source:target:ro" without empty parts.'
        )
    source, target = (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    bind = source is not None and _is_path(source)
    entries: dict[str, Node] = {"type": Node("bind" if bind else "volume", node.location)}
    if source is not None:
        entries["source"] = Node(source, node.location)
    entries["target"] = Node(target, node.location)
    options: dict[str, Node] = {}
    if bind:
        options["create_host_path"] = Node(True, node.location)
    for option in parts[2].split(",") if len(parts) == 3 else ():
        _mount_option(option, node, entries, options)
    if options:
        entries["bind" if bind else "volume"] = Node(options, node.location)
    return node.having(entries)


def _mount_option(option: str, node: Node, entries: dict[str, Node], options: dict[str, Node]) -> None:
    if option in ("ro", "rw"):
        entries["read_only"] = Node(option == "ro", node.location)
    elif option == "nocopy":
        options["nocopy"] = Node(True, node.location)
    elif option in _MOUNT_FLAGS:
        options["propagation"] = Node(option, node.location)
    elif option in ("z", "Z"):
        options["selinux"] = Node(option, node.location)
    elif option in _CONSISTENCY:
        entries["consistency"] = Node(option, node.location)
    else:
        raise MalformedError(
            f'"{option}" is not an option of a volume.', "Use ro, rw, z, Z, nocopy or a propagation."
        )


def _split_mount(spec: str) -> list[str]:
    parts = spec.split(":")
    if len(parts) > 1 and len(parts[0]) == 1 and parts[0].isalpha() and parts[1][:1] in ("\\", "/"):
        parts[:2] = [f"{parts[0]}:{parts[1]}"]  # a Windows drive
    return parts


def _is_path(source: str) -> bool:
    return source[0] in "./~\\" or (len(source) > 1 and source[0].isalpha() and source[1] == ":")


def ports(node: Node) -> Node:
    """Turn every element of ``ports`` into long ones, one for each port of a range."""
    if not isinstance(node.value, list):
        return node
    expanded, errors = _each(node.value, _port)
    return _whole(node.having(expanded), errors)


def _port(element: Node) -> list[Node]:
    if isinstance(element.value, (dict, list)) or element.tag is not Tag.NONE:
        return [element]
    if isinstance(element.value, (bool, float)) or element.value is None:
        raise MalformedError(f"A port is {describe(element)}.", 'Write "8080:80" in quotes.')
    text = str(element.value)
    match = _PORT.match(text)
    if match is None:
        raise MalformedError(
            f'"{text}" is not a port.', 'Write "8080:80", "127.0.0.1:8080:80", "8000-8010:80" or "53:53/udp".'
        )
    targets = _range(match["target"])
    published = _range(match["published"]) if match["published"] else []
    host = match["v6"] or match["v4"]
    if host and not _is_address(host):
        raise MalformedError(f'"{host}" is not an IP address.', 'Write "127.0.0.1:8080:80", or no address.')
    if published and len(published) != len(targets) and len(targets) > 1:
        raise MalformedError(
            f'"{text}" has ranges of different length.', "Give both sides the same number of ports."
        )
    result = []
    for index, target in enumerate(targets):
        entries: dict[str, Node] = {
            "mode": Node("ingress", element.location),
            "target": Node(target, element.location),
            "protocol": Node((match["protocol"] or "tcp").lower(), element.location),
        }
        if len(targets) == 1 and len(published) > 1:
            entries["published"] = Node(match["published"], element.location)
        elif published:
            entries["published"] = Node(str(published[index]), element.location)
        if host:
            entries["host_ip"] = Node(host, element.location)
        result.append(Node(entries, element.location, element.tag))
    return result


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    low, high = int(first or 0), int(last or first)
    if not 0 < low <= high < 65536:
        raise MalformedError(
            f'"{text}" is not a port or a range of ports.', "Use ports from 1 to 65535, low to high."
        )
    return range(low, high + 1)
