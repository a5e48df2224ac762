"""``leeward infra versions``: what EKS supports, what a cluster should pin, and pinning it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options, output
from leeward.cli.commands.aws import Profile, Region

if TYPE_CHECKING:
    from leeward.infra.aws.session import Aws
    from leeward.infra.aws.versions import AddonVersions
    from leeward.infra.catalogue import Version
    from leeward.infra.spec import Architecture, ClusterSpec, OperatingSystem


def versions(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A cluster: its add-ons and AMIs too.")
    ] = None,
    pin: Annotated[
        bool, typer.Option("--pin", help="Write the versions of its add-ons into the lock file.")
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody: leeward's own table, with its date.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Show which versions of Kubernetes EKS supports, and those of add-ons and AMIs for a cluster.

    With --pin the versions that a cluster's file does not name are kept in its lock file, so that a rebuilt
    cluster is the same, and its Terraform is written.

    Examples:

      leeward infra versions --offline

      leeward infra versions prod-use1 --pin
    """
    if pin and (offline or name is None):
        raise UserInputError(
            "--pin asks AWS for the versions of a cluster", remedy="Name it, without --offline."
        )
    from leeward.base.clock import SystemClock
    from leeward.infra.catalogue import catalogue

    known, today = catalogue(), SystemClock().now().date()
    if offline:
        _show_support(known.versions.values(), today, form)
        output.note(f"leeward's table of {known.versions_from}; without --offline AWS is asked")
        return
    aws = _session(name, region, profile)
    from leeward.infra.aws.versions import supported_versions, table_differences

    support = supported_versions(aws)
    if name is None or form is output.Format.TABLE:
        _show_support([each.version for each in support], today, form)
    for line in table_differences(known.versions, support):
        output.note(f"note: otherwise than in leeward's table of {known.versions_from}: {line}")
    if name is not None:
        _show_cluster(aws, name, form, pin=pin)


def _session(name: str | None, region: str | None, profile: str | None) -> Aws:
    from leeward.cli.eks import login_for
    from leeward.infra.aws.session import Login, open_aws

    given = Login(region=region, profile=profile)
    return open_aws(given if name is None else login_for(name, given))


def _show_support(found: Iterable[Version], today: date, form: output.Format) -> None:
    rows = [
        {
            "kubernetes": each.name,
            "released": str(each.released),
            "standard_until": str(each.standard_until),
            "extended_until": str(each.extended_until),
            "support": _support(each, today),
        }
        for each in sorted(found, key=lambda one: one.released, reverse=True)
    ]
    columns = ("kubernetes", "support", "released", "standard_until", "extended_until")
    output.show_rows(columns, rows, form)


def _support(version: Version, today: date) -> str:
    if today <= version.standard_until:
        return "standard"
    return "extended, six times the price" if today <= version.extended_until else "ended"


def _show_cluster(aws: Aws, name: str, form: output.Format, *, pin: bool) -> None:
    from leeward.cli.eks import spec_of, spec_path_of
    from leeward.cli.infrarepository import here
    from leeward.infra.aws.versions import addon_versions, pins
    from leeward.infra.specrules import ADDONS

    spec, lock = spec_of(str(spec_path_of(name))), here().lock(name)
    wanted = [addon for addon in ADDONS if spec.addons.get(addon) != "off"]
    found = addon_versions(aws, spec.kubernetes, wanted)
    locked = dict(lock.addons) if lock is not None else {}
    rows = [_addon_row(addon, found[addon], spec.addons, locked) for addon in wanted if addon in found]
    _show_parts(rows, _amis(aws, spec), form)
    if pin:
        _pin(name, {addon: each for addon, each in pins(found).items() if addon not in spec.addons})


def _pin(name: str, chosen: Mapping[str, str]) -> None:
    """Write versions of add-ons into a cluster's lock file, and what follows from it."""
    from leeward.cli import infrarepository as repository

    places = repository.here()
    members = repository.read_members(places)
    before = members[name]
    lock = replace(before.lock, addons={**before.lock.addons, **chosen})
    repository.write(places, {**members, name: replace(before, lock=lock)}, force=False)
    changed = [
        f"{addon} {version}" for addon, version in chosen.items() if before.lock.addons.get(addon) != version
    ]
    output.note(f"pinned: {', '.join(changed)}" if changed else "these versions are pinned already")


def _addon_row(
    addon: str, found: AddonVersions, written: Mapping[str, str], locked: Mapping[str, str]
) -> dict[str, Any]:
    pinned = written.get(addon) or locked.get(addon) or ""
    fits = "" if not pinned or pinned in found.versions else "not for this version of Kubernetes"
    return {
        "add-on": addon, "pinned": pinned, "default": found.default, "newest": found.versions[0],
        "problem": fits,
    }  # fmt: skip


def _amis(aws: Aws, spec: ClusterSpec) -> list[dict[str, Any]]:
    """Return a row for each kind of AMI of the cluster's nodes."""
    from leeward.infra.aws.versions import ami_release
    from leeward.infra.catalogue import catalogue

    types = catalogue().types
    kinds: dict[tuple[OperatingSystem, Architecture], list[tuple[str, str | None]]] = {}
    for name, group in spec.node_groups.items():
        known = [types[each].arch for each in group.types if each in types]
        arch: Architecture = group.arch or (known[0] if known else "x86_64")
        kinds.setdefault((group.os, arch), []).append((name, group.ami))
    return [
        {
            "ami": f"{os} {arch}",
            "newest": ami_release(aws, spec.kubernetes, os, arch) or "",
            "groups": ", ".join(f"{name} ({ami or 'not pinned'})" for name, ami in groups),
        }
        for (os, arch), groups in kinds.items()
    ]


def _show_parts(
    addons: Sequence[Mapping[str, Any]], amis: Sequence[Mapping[str, Any]], form: output.Format
) -> None:
    if form is output.Format.JSON:
        import json

        output.say(json.dumps({"addons": list(addons), "amis": list(amis)}, indent=2))
        return
    output.say()
    output.show_rows(("add-on", "pinned", "default", "newest", "problem"), addons, form, empty="no add-ons")
    output.say()
    output.show_rows(("ami", "newest", "groups"), amis, form, empty="no node groups")
