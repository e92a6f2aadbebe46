"""dbt's events as our log lines. Pure: an event in, at most one line out."""
import re
from dataclasses import dataclass, field
from typing import Any

BAD = {"error": "ERROR", "fail": "ERROR", "runtime error": "ERROR", "partial success": "ERROR", "warn": "WARNING"}
# What NodeFinished says better, and the summary at the end, which says it again.
TOLD = {
    "CheckNodeTestFailure", "EndOfRunSummary", "LogModelResult", "LogNodeResult", "LogSeedResult", "LogSkipBecauseError",
    "LogSnapshotResult", "LogTestResult", "RunResultError", "RunResultErrorNoMessage", "RunResultFailure",
    "RunResultWarning", "RunResultWarningMessage", "SkippingDetails",
}  # fmt: skip
COLOR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Line:
    severity: str
    message: str
    fields: dict[str, Any] = field(default_factory=dict)


def line_of(event: dict[str, Any]) -> Line | None:
    """`event` as dbt writes it with --log-format json: {"info": {"name", "level", "msg"}, "data": {...}}."""
    info, data = event["info"], event.get("data") or {}
    if info["name"] == "NodeFinished":
        return _finished(data)
    if info["name"] == "LogFreshnessResult":
        return _freshness(data)
    if info["level"] not in ("warn", "error") or info["name"] in TOLD:
        return None
    severity = "ERROR" if info["level"] == "error" else "WARNING"
    return Line(severity, _plain(info["msg"]), {"event": "dbt", "dbt_event": info["name"]})


def _finished(data: dict[str, Any]) -> Line | None:
    node, result = data.get("node_info") or {}, data.get("run_result") or {}
    if node.get("resource_type") == "source":
        return None  # its freshness has a line of its own
    status, answer = result.get("status") or node.get("node_status"), result.get("adapter_response") or {}
    name, seconds = node["node_name"], round(result.get("execution_time") or 0.0, 1)
    fields = {
        "event": "node",
        "kind": node["resource_type"],
        "model": name,
        "status": status,
        "seconds": seconds,
        "dataset": (node.get("node_relation") or {}).get("schema"),
        "rows": _whole(answer.get("rows_affected")),
        "bytes": _whole(answer.get("bytes_billed")),
        "job_id": answer.get("job_id"),
        "failures": _whole(result.get("num_failures")) if status in ("fail", "warn") else None,
        "unique_id": node["unique_id"],
    }
    fields = {key: value for key, value in fields.items() if value not in (None, "")}
    message = f"{node['resource_type']} {name}: {status} in {seconds} s"
    if status in BAD and (said := _plain(result.get("message") or "")):
        message += f": {said}"
    return Line(BAD.get(status or "", "INFO"), message, fields)


def _freshness(data: dict[str, Any]) -> Line | None:
    status, source = data.get("status"), f"{data.get('source_name')}.{data.get('table_name')}"
    if status == "pass":
        return None
    node = data.get("node_info") or {}
    severity = "WARNING" if status == "warn" else "ERROR"
    fields = {"event": "source_freshness", "source": source, "status": status, "unique_id": node.get("unique_id")}
    said = f": {_plain(data['result_message'])}" if data.get("result_message") else ""
    return Line(severity, f"source {source} is stale ({status}){said}", fields)


def _whole(number: float | str | None) -> int | None:
    return None if number is None else int(float(number))


def _plain(text: str) -> str:
    return COLOR.sub("", text).strip()
