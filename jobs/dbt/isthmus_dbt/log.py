"""Log lines as every program of isthmus writes them: JSON objects in the cloud, text in a terminal; on stderr."""
import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

LEVELS = {"ERROR": "ERROR", "WARNING": "WARN", "INFO": "INFO"}


def is_json() -> bool:
    wanted = os.environ.get("LOG_FORMAT")
    return wanted == "json" or (wanted != "text" and "CLOUD_RUN_JOB" in os.environ)


def line(severity: str, message: str, fields: dict[str, Any]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"timestamp": now, "level": LEVELS[severity], "severity": severity, "target": "dbt"}
    return json.dumps(head | {"message": message} | fields, default=str)


def write(severity: str, message: str, **fields: Any) -> None:
    text = line(severity, message, fields) if is_json() else f"{severity:7} {message}"
    print(text, file=sys.stderr, flush=True)


def info(message: str, **fields: Any) -> None:
    write("INFO", message, **fields)


def warning(message: str, **fields: Any) -> None:
    write("WARNING", message, **fields)


def error(message: str, **fields: Any) -> None:
    write("ERROR", message, **fields)
