"""Which syncs are fresh: everything that their marts are made of was built by this run, tested well, out of tables that
were proven for the day. Pure."""
from collections.abc import Mapping
from typing import Any

from isthmus_dbt.results import GOOD, Results

Late = Mapping[str, str]
"""Tables that are not proven for the day, each with what became of it."""


def gates(manifest: dict[str, Any], results: Results, late: Late) -> dict[str, dict[str, Any]]:
    """For each sync whether it is fresh, and if not, why: each reason names a table, a model or a test."""
    syncs = {}
    for name, exposure in manifest["exposures"].items():
        sync = (exposure.get("meta") or {}).get("isthmus_sync")
        if sync:
            because = _because(manifest, _ancestors(manifest, name), results, late)
            syncs[sync] = {"fresh": not because, "because": because}
    return dict(sorted(syncs.items()))


def _ancestors(manifest: dict[str, Any], name: str) -> set[str]:
    found, open_ = set(), [name]
    while open_:
        for parent in manifest["parent_map"].get(open_.pop(), []):
            if parent not in found:
                found.add(parent)
                open_.append(parent)
    return found


def _because(manifest: dict[str, Any], ancestors: set[str], results: Results, late: Late) -> list[str]:
    if not ancestors:
        return ["its exposure names nothing that it reads"]
    reasons = []
    for name in sorted(ancestors):
        if _is_source(name):
            table = (manifest["sources"][name].get("meta") or {}).get("isthmus_table")
            if table in late:
                reasons.append(f"table {table}: {late[table]}")
        else:
            reasons += _not_built(name, results)
    tests = {name: node for name, node in manifest["nodes"].items() if name.startswith("test.")}
    for test, node in sorted((tests | manifest.get("unit_tests", {})).items()):
        # A test may compare two models: it speaks of a sync if one of them is in it.
        parents = ancestors.intersection(manifest["parent_map"].get(test, []))
        if parents:
            reasons += _not_passed(test, node, parents, results)
    return reasons


def _not_built(name: str, results: Results) -> list[str]:
    kind, _, short = name.split(".", 2)
    result = results.get(name)
    if result is None:
        return [f"{kind} {short}: this run did not build it"]
    if result["status"] in GOOD:
        return []
    # What was skipped says nothing: the reason is what failed before it, and that is an ancestor too, or a test of one.
    if result["status"] == "skipped":
        return [f"{kind} {short}: skipped"]
    return [f"{kind} {short}: {(result.get('message') or result['status']).strip()}"]


def _not_passed(test: str, node: dict[str, Any], parents: set[str], results: Results) -> list[str]:
    result = results.get(test, {"status": "this run did not ask it"})
    if result["status"] in GOOD:
        return []
    # Skipped because of a model of this sync, which is a reason already. Where another's failed, nothing else tells it.
    if result["status"] == "skipped" and any(_not_built(name, results) for name in parents if not _is_source(name)):
        return []
    return [f"test {node.get('name') or test}: {result.get('message') or result['status']}"]


def _is_source(name: str) -> bool:
    return name.startswith("source.")
