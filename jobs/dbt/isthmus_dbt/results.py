"""What a build and its retries came to. Pure."""
from collections.abc import Iterable
from typing import Any

# Words of dbt's run_results.json.
GOOD = {"success", "pass", "warn", "no-op", "reused"}
# What the next try may mend. A test that finds bad rows finds them again.
RETRIED = {"error", "runtime error", "partial success"}

Results = dict[str, dict[str, Any]]
"""By unique id."""


def merged(runs: Iterable[list[dict[str, Any]]]) -> Results:
    """A retry says only what it tried again: the last word about each node counts."""
    last: Results = {}
    for results in runs:
        last |= {result["unique_id"]: result for result in results}
    return last


def failed(results: Results) -> list[str]:
    """What failed by itself; what was skipped because of it is not told again."""
    return sorted(name for name, result in results.items() if result["status"] not in GOOD | {"skipped"})


def worth_a_retry(results: Results) -> bool:
    return any(result["status"] in RETRIED for result in results.values())


def billed(results: Results) -> int:
    return sum(int((result.get("adapter_response") or {}).get("bytes_billed") or 0) for result in results.values())
