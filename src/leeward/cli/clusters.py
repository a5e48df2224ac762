"""Embedded clusters by name: where their state is, starting and stopping their process.

A cluster is a daemon process (``leeward.cluster.daemon``) that tells its starter over a pipe, one JSON
line each, what it is doing, until it is ready or has failed.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import interrupts
from leeward.cli.nodegroups import choose_groups
from leeward.cli.options import DEFAULT_CLUSTER
from leeward.cluster.config import LOCAL_REGION, ClusterConfig
from leeward.cluster.kubelet.simulated.stages import parse_stages
from leeward.cluster.statedir import StateDir, config_to_record, groups_from_record

if TYPE_CHECKING:
    from leeward.cli.clusterfrom import Shape

DEFAULT_NAME = DEFAULT_CLUSTER
START_SECONDS = 60.0  # a healthy start takes about one
STOP_SECONDS = 30.0
_PORT_TRIES = 3  # clusters that start at the same time may choose the same ports
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")
_SIMULATED_PODS = IPv4Network("100.64.0.0/10")  # room for four million; nothing listens there
_RUNTIMES = ("auto", "process", "simulated")


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What ``leeward cluster start`` was asked for; None: as recorded, else the default."""

    name: str = DEFAULT_NAME
    state: Path | None = None
    port: int | None = None
    ingress_port: int | None = None
    zones: int | None = None
    nodes_per_zone: int | None = None
    nodes: int | None = None  # in all zones together
    node_size: str | None = None  # "32cpu,256Gi"
    node_groups: Sequence[str] = ()  # "NAME:NODES:SIZE"
    shape: Shape | None = None  # of a cluster spec
    simulate: str | None = None
    seed: int | None = None
    runtime: str | None = None
    scheduler_config: Path | None = None
    reserved: frozenset[int] = frozenset()  # ports that the cluster must not choose for itself


def home() -> Path:
    """Return the directory that holds the clusters of this user."""
    if explicit := os.environ.get("LEEWARD_HOME"):
        return Path(explicit)
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "leeward"


def state_of(name: str, explicit: Path | None = None) -> StateDir:
    """Return the state directory of cluster `name`.

    Raises:
        UserInputError: `name` is no possible name.
    """
    if not _NAME.fullmatch(name):
        raise UserInputError(
            f"{name!r} is no cluster name",
            remedy="Use at most 32 lower-case letters, digits and dashes, such as `--name dev`.",
        )
    if explicit is not None:
        return StateDir(explicit.absolute())
    pointer = home() / f"{name}.path"
    with suppress(FileNotFoundError):
        return StateDir(Path(pointer.read_text().strip()))
    return StateDir(home() / name)


def known_names() -> list[str]:
    """Return the names of all clusters of this user."""
    if not home().is_dir():
        return []
    names = {path.stem for path in home().glob("*.path")}
    names |= {path.parent.name for path in home().glob("*/cluster.json")}
    return sorted(names)


def running_names() -> list[str]:
    """Return the names of the clusters of this user that run."""
    return [name for name in known_names() if state_of(name).running_pid() is not None]


def require_running(name: str, flag: str = "--cluster") -> StateDir:
    """Return the state directory of a running cluster.

    Args:
        name: of the cluster.
        flag: how the verb at hand spells the option for another one.

    Raises:
        OperationError: it does not run.
    """
    state = state_of(name)
    if state.running_pid() is None:
        started = "is not running" if state.exists() else "does not exist"
        remedy = f"Start it with `leeward cluster start{_name_flag(name)}`, or run `leeward up`."
        others = running_names() if name == DEFAULT_NAME else []
        if len(others) == 1:
            remedy = f"Cluster {others[0]!r} runs; add {flag} {others[0]}. Or: {remedy}"
        raise OperationError(f"cluster {name!r} {started}", remedy=remedy)
    return state


def _name_flag(name: str) -> str:
    return "" if name == DEFAULT_NAME else f" --name {name}"


def prepare(options: StartOptions) -> StateDir:
    """Decide the configuration of a cluster and record it; nothing runs yet.

    Raises:
        OperationError: it runs already, a port is taken, or the state is of another version.
        UserInputError: an option makes no sense.
    """
    _check(options)
    state = state_of(options.name, options.state)
    if state.running_pid() is not None:
        raise OperationError(
            f"cluster {options.name!r} is already running",
            remedy=f"Stop it (`leeward cluster stop{_name_flag(options.name)}`) or choose another --name.",
        )
    if state.is_foreign():
        raise UserInputError(
            f"{state.root} is not empty and holds no cluster",
            remedy="Choose an empty or new directory with --state.",
        )
    old: dict[str, Any] = state.load() if state.exists() else {}
    if old and old["name"] != options.name:
        raise OperationError(
            f"{state.root} holds the cluster {old['name']!r}, not {options.name!r}",
            remedy="Choose another directory with --state, or use its name.",
        )
    _check_unchanged(options, old)
    runtime = options.runtime or old.get("runtime") or "auto"
    if options.simulate and runtime != "simulated":
        raise UserInputError(
            f"--simulate says nothing to the runtime {runtime}", remedy="Add --runtime simulated."
        )
    letters = options.shape.zones if options.shape else [chr(ord("a") + n) for n in range(options.zones or 3)]
    zones = tuple(old.get("zones") or letters)
    config = ClusterConfig(
        name=options.name,
        state_dir=state.root,
        api_port=_port(options.port, old.get("apiPort"), 6443, "--port", options.reserved),
        ingress_port=_port(
            options.ingress_port,
            old.get("ingressPort"),
            _ingress_default(options),
            "--ingress-port",
            options.reserved,
        ),
        zones=zones,
        region=options.shape.region if options.shape else old.get("region", LOCAL_REGION),
        node_groups=choose_groups(options, groups_from_record(old) if old else (), len(zones)),
        runtime=runtime,
        simulate=options.simulate if options.simulate is not None else old.get("simulate", ""),
        seed=options.seed if options.seed is not None else old.get("seed", 0),
        scheduler=_scheduler(options, old),
    )
    state.save(config_to_record(config, _plan(config, old)))
    if options.state is not None:
        home().mkdir(parents=True, exist_ok=True)
        (home() / f"{options.name}.path").write_text(f"{state.root}\n")
    return state


def _check(options: StartOptions) -> None:
    if options.runtime is not None and options.runtime not in _RUNTIMES:
        raise UserInputError(
            f"there is no runtime {options.runtime!r}", remedy=f"Use one of {', '.join(_RUNTIMES)}."
        )
    if options.simulate:
        parse_stages(options.simulate)
    if options.zones is not None and not 1 <= options.zones <= 26:
        raise UserInputError(f"--zones {options.zones} is not between 1 and 26")
    for port in (options.port, options.ingress_port):
        if port is not None and not 1 <= port <= 65535:
            raise UserInputError(f"{port} is no port", remedy="Use a number from 1 to 65535.")


def _scheduler(options: StartOptions, old: dict[str, Any]) -> dict[str, Any]:
    if options.scheduler_config is None:
        recorded: dict[str, Any] = old.get("schedulerConfiguration", {})
        return recorded
    from leeward.cli.schedulerconfig import read_scheduler_config

    return read_scheduler_config(options.scheduler_config)


def _check_unchanged(options: StartOptions, old: dict[str, Any]) -> None:
    """A cluster keeps the zones it was made with: its volumes are in them."""
    if old and options.zones is not None and options.zones != len(old["zones"]):
        raise UserInputError(
            f"cluster {options.name!r} has {len(old['zones'])} zones, which --zones cannot change",
            remedy="Leave --zones out, or make a new cluster with another --name.",
        )
    shape = options.shape
    if old and shape and (shape.region, [*shape.zones]) != (old["region"], list(old["zones"])):
        raise UserInputError(
            f"cluster {options.name!r} has the zones {', '.join(old['zones'])} of {old['region']}, "
            "which --from "
            "cannot change",
            remedy="Make a new cluster with another --name, or delete this one: leeward cluster delete.",
        )


def _isolated(runtime: str | None) -> bool:
    """Tell whether Pods will have networks of their own."""
    return sys.platform == "linux" and os.geteuid() == 0 and runtime != "simulated"


def _ingress_default(options: StartOptions) -> int:
    """8080, unless Pods share this machine's ports: then one that services seldom listen on."""
    return 8080 if _isolated(options.runtime) or options.runtime == "simulated" else 18080


def _plan(config: ClusterConfig, old: dict[str, Any]) -> Any:
    """Choose the address ranges once; keep them afterwards unless isolation changed."""
    from leeward.cluster.network.addressing import choose_address_plan
    from leeward.cluster.statedir import config_from_record

    isolated = _isolated(config.runtime)
    if old and old.get("isolated") == isolated:
        plan = config_from_record(config.state_dir, old)[1]
    else:
        plan = choose_address_plan(str(config.state_dir), isolated=isolated)
    return replace(plan, pod_network=_SIMULATED_PODS) if config.runtime == "simulated" else plan


def _port(
    wanted: int | None, recorded: int | None, default: int, flag: str, reserved: Collection[int]
) -> int:
    """Return a free port: the one asked for or recorded, or the first free one from the default.

    What is reserved is not chosen, unless it is asked for.

    Raises:
        OperationError: the port asked for is taken.
    """
    if wanted is not None:
        if not port_is_free(wanted):
            raise OperationError(
                f"port {wanted} on 127.0.0.1 is already taken",
                remedy=f"Choose another one with {flag}, or stop the program that has it.",
            )
        return wanted
    candidates = [recorded] if recorded else []
    candidates += range(default, default + 100)
    for port in candidates:
        if port not in reserved and port_is_free(port):
            return port
    raise OperationError(f"no free port from {default} on", remedy=f"Choose one with {flag}.")


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether this machine could listen on `port` now."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def start(options: StartOptions, progress: Callable[[str], None]) -> StateDir:
    """Start a cluster and wait until its API is ready and all nodes are.

    Args:
        options: what to start.
        progress: told each step in a few words.

    Raises:
        OperationError: it did not come up; its process is gone.
        InterruptedByUserError: Ctrl-C; its process is gone, or told to go.
    """
    for _ in range(_PORT_TRIES - 1):
        try:
            return _start_once(options, progress)
        except OperationError:
            if not _lost_a_port(options):
                raise
            progress("another program took the port meanwhile; trying the next one")
    return _start_once(options, progress)


def _tell_moved(before: dict[str, Any], now: dict[str, Any], progress: Callable[[str], None]) -> None:
    """Say which ports a cluster had before and has no more: others know them."""
    for key, what in (("apiPort", "the Kubernetes API"), ("ingressPort", "the ingress")):
        if key in before and before[key] != now[key]:
            progress(f"note: {what} is at port {now[key]} now, not at {before[key]} as before")


def _lost_a_port(options: StartOptions) -> bool:
    """Tell whether a port that was free when it was chosen has been taken since."""
    state = state_of(options.name, options.state)
    if not state.exists() or state.running_pid() is not None:
        return False
    record = state.load()
    chosen = [(options.port, "apiPort"), (options.ingress_port, "ingressPort")]
    return any(wanted is None and not port_is_free(record[key]) for wanted, key in chosen)


def _start_once(options: StartOptions, progress: Callable[[str], None]) -> StateDir:
    known = state_of(options.name, options.state)
    before = known.load() if known.exists() else {}
    state = prepare(options)
    _tell_moved(before, state.load(), progress)
    reading, writing = os.pipe()
    with state.daemon_log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "leeward.cluster.daemon", str(state.root), str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writing],
            start_new_session=True,
        )
    try:
        os.close(writing)
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            _await_ready(pipe, process, state, progress)
    except KeyboardInterrupt:
        progress(f"interrupted; stopping cluster {options.name}")
        raise interrupts.finish(
            lambda: _end(process.pid, process),
            f"cluster {options.name} is stopped",
            f"cluster {options.name} was told to stop; `leeward cluster status` tells whether it has",
        ) from None
    except BaseException:
        _end(process.pid, process)
        raise
    return state


def _await_ready(
    pipe: Any, process: subprocess.Popen[bytes], state: StateDir, progress: Callable[[str], None]
) -> None:
    """Follow the daemon's messages until it is ready."""
    deadline = time.monotonic() + START_SECONDS
    pending = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([pipe], [], [], left)[0]:
            break
        data = pipe.read(65536)
        if not data:
            raise OperationError(
                f"the cluster's process ended while starting (exit code {process.wait()})",
                remedy=f"Its last words are in {state.daemon_log}.",
            )
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "error" in message:
                raise OperationError(message["error"], remedy=message.get("remedy", ""))
            if message.get("ready"):
                return
            progress(message.get("step", ""))
    raise OperationError(
        f"the cluster was not ready within {START_SECONDS:.0f} s",
        remedy=f"See {state.daemon_log} for the reason.",
    )


def stop(state: StateDir) -> bool:
    """Stop the cluster's process and wait for it; False when it was not running.

    What a killed process left behind (interfaces, mounts) is removed too.
    """
    pid = state.running_pid()
    if pid is not None:
        _end(pid, None)
        deadline = time.monotonic() + STOP_SECONDS
        while state.running_pid() is not None and time.monotonic() < deadline:
            time.sleep(0.02)
    if state.exists():
        from leeward.cluster.build import remove_traces

        remove_traces(state)
    return pid is not None


def delete(name: str, state: StateDir) -> list[Path]:
    """Stop the cluster and remove its state; returns what is not leeward's and stays."""
    stop(state)
    (home() / f"{name}.path").unlink(missing_ok=True)
    return state.remove() if state.exists() else []


def _end(pid: int, process: subprocess.Popen[bytes] | None) -> None:
    """Ask a process to end; kill it when it does not within STOP_SECONDS."""
    deadline = time.monotonic() + STOP_SECONDS
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            if process is not None and process.poll() is not None:
                return
            with suppress(ChildProcessError):  # it is one when this process has started the cluster
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    return
            os.kill(pid, 0)
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
