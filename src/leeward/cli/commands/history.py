"""``leeward history``: what went into environments, when and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leeward.kube.client import KubeClient
    from leeward.kube.objects import Obj

_COLUMNS = ("promotion", "release", "version", "by", "phase", "took", "started", "summary")


def history(
    environment: Annotated[str | None, typer.Argument(metavar="[ENV]")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of each environment.")] = 20,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the promotions into an environment, or into all, newest first.

    Examples:

      leeward history production
    """
    import asyncio

    from leeward.cli.hubaccess import application_of, ask_hubs
    from leeward.delivery.promotion.past import newest_promotions, versions_of
    from leeward.delivery.records import hub_of

    application = application_of(files, project_name, context, cluster)
    place = hub_of(application.name)

    async def ask(api: KubeClient, names: Sequence[str]) -> list[dict[str, Any]]:
        past = [await newest_promotions(api, place, name, limit) for name in names]
        versions = await versions_of(api, place) if any(past) else {}
        return [_row(obj, versions) for each in past for obj in each]

    answers = asyncio.run(ask_hubs(application, environment, ask))
    found = [row for hub in answers.hubs for row in hub.answer]
    found.sort(key=lambda row: (row["started"], row["promotion"]), reverse=True)
    output.show_rows(_COLUMNS, found, form, empty="nothing was promoted yet")


def _row(promotion: Obj, versions: dict[str, str]) -> dict[str, Any]:
    from leeward.delivery.promotion.past import seconds_taken

    spec, status = promotion["spec"], promotion.get("status") or {}
    took = seconds_taken(promotion)
    summary = spec.get("summary") or []
    return {
        "promotion": promotion["metadata"]["name"],
        "environment": spec["environment"],
        "release": spec["release"],
        "version": versions.get(spec["release"], ""),
        "by": spec["by"],
        "phase": status.get("phase", ""),
        "rollback": bool(spec.get("rollback")),
        "took": "" if took is None else _duration(took),
        "started": status.get("startedAt") or promotion["metadata"].get("creationTimestamp") or "",
        "summary": ("back: " if spec.get("rollback") else "") + (summary[0] if summary else ""),
        "message": status.get("message", ""),
    }


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds < 60 else f"{seconds // 60:.0f}m{seconds % 60:02.0f}s"
