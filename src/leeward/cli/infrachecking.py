"""``leeward infra check``: whether clusters hold what is promised of them, also when a zone is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.base.errors import UserInputError
from leeward.cli import output
from leeward.cli.infrarepository import good_specs, here, today
from leeward.compose.findings import did_you_mean
from leeward.infra.checks.catalog import broken
from leeward.infra.checks.rule import Case
from leeward.infra.fitting import ZoneLoss, zone_losses
from leeward.infra.places import Places
from leeward.infra.spec import ClusterSpec
from leeward.infra.workloads import Workload, workloads

if TYPE_CHECKING:
    from leeward.kube.objects import Obj


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one cluster."""

    losses: tuple[ZoneLoss, ...]
    environments: tuple[str, ...]  # that were counted
    found: tuple[Diagnostic, ...]

    def failed(self, *, strict: bool) -> bool:
        """Tell whether it does not hold what it should."""
        bad = (Severity.ERROR, Severity.WARNING) if strict else (Severity.ERROR,)
        return any(each.severity in bad for each in self.found)


def check_clusters(
    names: Sequence[str],
    manifests: Sequence[str],
    form: output.Format,
    *,
    strict: bool,
    live: bool = False,
) -> bool:
    """Print what is found of clusters, all of them when none is named; tell whether they pass.

    Args:
        names: of clusters.
        manifests: directories of rendered manifests, ``ENVIRONMENT=DIRECTORY`` or just one of that name.
        form: a table for people, or JSON.
        strict: whether warnings are failures.
        live: whether AWS is asked how many nodes there are.

    Raises:
        UserInputError: a cluster or a directory is not there, a spec has mistakes, or AWS cannot be asked.
    """
    places = here()
    for name in names:
        places.spec_path(name)
    specs = good_specs(places)
    given = read_manifests(manifests, specs)
    modules = _modules(places)
    checked = {
        name: _check(places, name, specs, hosted(specs[name], given), modules, _live(name) if live else {})
        for name in names or places.names
    }
    if form is output.Format.JSON:
        output.say(json.dumps({name: _plain(each) for name, each in checked.items()}, indent=2))
    else:
        _show(checked)
    return not any(each.failed(strict=strict) for each in checked.values())


def _check(
    places: Places,
    name: str,
    specs: Mapping[str, ClusterSpec],
    environments: Mapping[str, Sequence[Workload]],
    modules: Mapping[str, str],
    live: Mapping[str, int],
) -> Checked:
    spec, read = specs[name], places.read(name, Path.cwd(), today())
    losses = zone_losses(spec, [workload for found in environments.values() for workload in found])
    case = Case(
        spec=spec,
        lock=places.lock(spec.name),
        today=today(),
        others={name: other for name, other in specs.items() if name != spec.name},
        environments=environments,
        losses=losses,
        modules=modules,
        live=live,
    )
    found = [
        replace(read.problem(each.path, rule.id, each.message, each.remedy), severity=rule.severity)
        for rule, each in broken(case)
    ]
    for index, name in enumerate(spec.environments):
        if name not in environments:
            told = read.problem(
                ("environments", index), "unknown-environment",
                f"What {name} runs is not known, so it is not counted.",
                "Run this where its leeward.yaml is, or add --manifests "
                f"{name}=DIRECTORY: leeward render --env {name} --output-dir DIRECTORY.",
            )  # fmt: skip
            found.append(replace(told, severity=Severity.WARNING))
    return Checked(tuple(losses), tuple(sorted(environments)), tuple(found))


def _live(name: str) -> dict[str, int]:
    """Return how many nodes a cluster's EKS node groups want now, by their names in the spec."""
    from leeward.cli.eks import login_for
    from leeward.infra.aws.nodegroups import name_in_spec, node_groups
    from leeward.infra.aws.session import Login, open_aws

    groups = node_groups(open_aws(login_for(name, Login())), name)
    return {name_in_spec(each.name): each.size.desired for each in groups}


def read_manifests(
    manifests: Sequence[str], specs: Mapping[str, ClusterSpec]
) -> Mapping[str, Sequence[Workload]]:
    """Return what runs by rendered manifests: environment → workloads.

    Args:
        manifests: directories, each ``ENVIRONMENT=DIRECTORY`` or just one of that name.
        specs: of all clusters.

    Raises:
        UserInputError: one is not there or not as Kubernetes has it, or no cluster hosts the environment,
            so that it would not be counted.
    """
    given: dict[str, list[Workload]] = {}
    for name, found in map(_manifests, manifests):
        given.setdefault(name, []).extend(found)
    known = sorted({name for spec in specs.values() for name in spec.environments})
    where = next(iter(specs)) if len(specs) == 1 else "any cluster here"
    for name in given:
        if name not in known:
            listed = f"Hosted are {', '.join(known)}." if known else "Write it under environments in a spec."
            raise UserInputError(
                f"--manifests: the environment {name!r} is not of {where}",
                remedy=did_you_mean(name, known) or listed,
            )
    return given


def hosted(spec: ClusterSpec, given: Mapping[str, Sequence[Workload]]) -> Mapping[str, Sequence[Workload]]:
    """Return what runs in the environments of a cluster, as far as it is known: environment → workloads."""
    known = {**_rendered(spec, given), **given}
    return {name: found for name, found in known.items() if name in spec.environments}


def _rendered(spec: ClusterSpec, given: Mapping[str, Any]) -> dict[str, list[Workload]]:
    """Return what runs in the hosted environments of the ``leeward.yaml`` that is found from here."""
    from leeward.cli.projects import Source, config_file_of, render_environments

    file = config_file_of(Source()) if spec.environments else None
    if file is None:
        return {}
    names = [name for name in spec.environments if name in file.config.environments and name not in given]
    rendered = render_environments(Source(), names)
    return {name: workloads(each.objects) for name, each in rendered.items()}


def _manifests(text: str) -> tuple[str, list[Workload]]:
    name, sign, directory = text.partition("=")
    path = Path(directory if sign else text)
    if not path.is_dir():
        raise UserInputError(
            f"--manifests {text}: {path} is no directory",
            remedy="Render one first: leeward render --env ENVIRONMENT --output-dir DIRECTORY.",
        )
    return (name if sign else path.resolve().name), _workloads(path, _objects(path))


def _workloads(directory: Path, objects: Sequence[Obj]) -> list[Workload]:
    try:
        return workloads(objects)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserInputError(
            f"--manifests {directory}: an object there is not as Kubernetes has it: {error}",
            remedy="Render it again, or let kubectl apply --dry-run=server say which.",
        ) from None


def _objects(directory: Path) -> list[Obj]:
    import yaml

    found: list[Obj] = []
    for path in sorted(each for suffix in ("*.yaml", "*.yml", "*.json") for each in directory.rglob(suffix)):
        if path.name.startswith("."):
            continue
        try:
            documents = list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise UserInputError(f"{path} cannot be read: {error}") from None
        for document in documents:
            listed = (
                document.get("items")
                if isinstance(document, dict) and document.get("kind") == "List"
                else None
            )
            found += [obj for obj in listed or [document] if isinstance(obj, dict)]
    return found


def _modules(places: Places) -> dict[str, str]:
    found = {}
    for path in sorted((places.root / "modules").rglob("*.tf")):
        try:
            found[path.relative_to(places.root).as_posix()] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserInputError(f"{path} cannot be read: {error}") from None
    return found


def _show(checked: Mapping[str, Checked]) -> None:
    if not checked:
        output.say("no clusters; leeward infra add NAME --region REGION")
    for name, each in checked.items():
        what = ", ".join(each.environments) or "nothing that is known"
        output.say(output.paint(f"{name}, hosting {what}", "1"))
        rows = [_row(loss) for loss in each.losses]
        output.show_rows(list(rows[0]) if rows else [], rows, output.Format.TABLE)
        counts = {severity: sum(found.severity is severity for found in each.found) for severity in Severity}
        told = [output.count(number, severity.value) for severity, number in counts.items() if number]
        output.say(f"{', '.join(told) or 'no findings'}\n")
    output.show_diagnostics([found for each in checked.values() for found in each.found])


def _row(loss: ZoneLoss) -> dict[str, Any]:
    return {
        "without": loss.zone,
        "zones_left": loss.zones,
        "nodes_left": loss.nodes,
        "cpu": f"{loss.requested[0] / 1000:g} of {loss.room[0] / 1000:g}",
        "memory": f"{loss.requested[1] / 1024:.1f} of {loss.room[1] / 1024:.1f} GiB",
        "at_max": f"{loss.room_at_max[0] / 1000:g} CPU, {loss.room_at_max[1] / 1024:.1f} GiB",
        "verdict": loss.verdict,
    }


def _plain(checked: Checked) -> dict[str, Any]:
    return {
        "environments": list(checked.environments),
        "zones": [{**_row(loss), "homeless": dict(loss.homeless)} for loss in checked.losses],
        "findings": [
            {
                "rule": each.code,
                "severity": each.severity.value,
                "message": each.message,
                "remedy": each.remedy,
                "file": each.location.file if each.location else None,
                "line": each.location.line if each.location else None,
            }
            for each in checked.found
        ],
    }
