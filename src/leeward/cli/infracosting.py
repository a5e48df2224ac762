"""``leeward infra cost``: what clusters cost a month, and what a change makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leeward.base.errors import UserInputError
from leeward.cli import output
from leeward.cli.infrachecking import hosted, read_manifests
from leeward.cli.infracomparing import spec_at
from leeward.cli.infrarepository import good_specs, here, today
from leeward.infra.cost import Change, Cost, Line, break_even_gb, changes, cost_of, shares
from leeward.infra.places import Places, good_spec
from leeward.infra.prices import FILE_NAME, Prices, own_prices, parse_prices
from leeward.infra.spec import ClusterSpec
from leeward.infra.workloads import requests

_MOST_BYTES = 4 * 2**20


def prices_of(places: Places) -> Prices:
    """Return the prices of a repository: its own file, or leeward's table.

    Raises:
        UserInputError: the file is no table of prices.
    """
    path = places.root / FILE_NAME
    return parse_prices(_read(path), str(path)) if path.is_file() else own_prices()


def refresh(places: Places, source: Path) -> None:
    """Take a file of prices for the repository.

    Raises:
        UserInputError: it is no table of prices; nothing is changed.
    """
    text = _read(source)
    prices = parse_prices(text, str(source))
    path = places.root / FILE_NAME
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise UserInputError(f"{path} cannot be written: {error.strerror or error}") from None
    output.note(f"Prices of {prices.region} from {prices.date} are in {path}; keep it in version control.")


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_MOST_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(f"{path} cannot be read: {error}") from None


def show(
    name: str | None,
    against: str | None,
    source: Path | None,
    form: output.Format,
    manifests: Sequence[str] = (),
) -> None:
    """Print the cost of one cluster, or the totals of all.

    Args:
        name: of the cluster; None for all.
        against: a revision of version control, or another cluster; None to compare with nothing.
        source: a file of prices that is taken first.
        form: a table for people, or JSON.
        manifests: what environments run, for their shares; see `infrachecking.read_manifests`.

    Raises:
        UserInputError: a cluster, a revision or a price is not there.
    """
    places = here()
    if name is None and (against is not None or manifests):
        what = "--against compares one cluster" if against is not None else "--manifests are for one cluster"
        raise UserInputError(what, remedy="Name it: leeward infra cost CLUSTER.")
    spec = None if name is None else _spec(places, name)
    if source is not None:
        refresh(places, source)
    prices = prices_of(places)
    if name is None or spec is None:
        _show_all(places, prices, form)
        return
    cost = cost_of(spec, prices, today())
    if against is None:
        running = hosted(spec, read_manifests(manifests, {name: spec}))
        _show_one(spec, cost, prices, {each: requests(found) for each, found in running.items()}, form)
    else:
        other = _spec(places, against) if against in places.names else spec_at(places, name, against)
        _show_changes(against, cost_of(other, prices, today()), cost, form)


def _spec(places: Places, name: str) -> ClusterSpec:
    return good_spec(places.read(name, Path.cwd(), today()))


def _show_all(places: Places, prices: Prices, form: output.Format) -> None:
    costs = {name: cost_of(spec, prices, today()) for name, spec in good_specs(places).items()}
    if form is output.Format.JSON:
        output.say(json.dumps({name: _plain(cost) for name, cost in costs.items()}, indent=2))
        return
    rows = [_row(name, "", cost.total) for name, cost in costs.items()]
    output.show_rows(
        list(rows[0]) if rows else [], rows, form, empty="no clusters; leeward infra add NAME --region REGION"
    )
    _tell(dict.fromkeys(note for cost in costs.values() for note in cost.notes))


def _show_one(
    spec: ClusterSpec,
    cost: Cost,
    prices: Prices,
    requested: Mapping[str, tuple[float, float]],
    form: output.Format,
) -> None:
    each = shares(cost.total.first, requested, spec.environments) if spec.environments else {}
    if form is output.Format.JSON:
        output.say(json.dumps({**_plain(cost), "environments": each}, indent=2))
        return
    rows = [_row(line.name, line.detail, line) for line in (*cost.lines, cost.total)]
    output.show_rows(list(rows[0]), rows, form)
    notes = list(cost.notes)
    if each:
        notes.append(_shares(each, requested))
    if spec.network.endpoints == "standard":
        gigabytes = break_even_gb(prices, len(spec.zone_names))
        notes.append(f"A VPC endpoint is cheaper than NAT from {gigabytes:.0f} GB a month through it.")
    _tell(dict.fromkeys(notes))


def _shares(each: Mapping[str, float], requested: Mapping[str, tuple[float, float]]) -> str:
    listed = ", ".join(f"{_money(amount)} for {name}" for name, amount in each.items())
    unknown = [name for name in each if name not in requested]
    if len(unknown) == len(each):
        return f"Of it {listed}, in equal parts: what they request is not known here (--manifests)."
    missing = f"; what {', '.join(unknown)} requests is not known here (--manifests)" if unknown else ""
    return f"Of it {listed}, by the CPU and memory that they request{missing}."


def _show_changes(against: str, before: Cost, after: Cost, form: output.Format) -> None:
    found = [*changes(before, after), Change("total", before.total, after.total)]
    if form is output.Format.JSON:
        output.say(json.dumps([asdict(each) for each in found], indent=2))
        return
    if len(found) == 1:
        output.say(f"It costs as much as {against}.")
        return
    rows = [
        {
            "line": each.name,
            "at min": _step(each, "least"),
            "at first": _step(each, "first"),
            "at max": _step(each, "most"),
            "now": "gone" if each.after is None else each.after.detail,
        }
        for each in found
    ]
    output.show_rows(list(rows[0]), rows, form)
    _tell(dict.fromkeys(after.notes))


def _step(change: Change, column: str) -> str:
    before = getattr(change.before, column) if change.before else 0.0
    after = getattr(change.after, column) if change.after else 0.0
    return f"{after - before:+,.2f}"


def _row(name: str, detail: str, line: Line) -> dict[str, Any]:
    return {
        "a month": name,
        "at min": _money(line.least),
        "at first": _money(line.first),
        "at max": _money(line.most),
        "of": detail,
    }


def _money(amount: float) -> str:
    return f"{amount:,.2f}"


def _plain(cost: Cost) -> Mapping[str, Any]:
    return {
        "lines": [asdict(line) for line in cost.lines],
        "total": asdict(cost.total),
        "notes": list(cost.notes),
    }


def _tell(notes: Sequence[str] | Mapping[str, None]) -> None:
    for note in notes:
        output.note(note)
