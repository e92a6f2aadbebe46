"""What the environment says, read and checked at once."""
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo


class InvalidSettings(Exception):
    """Everything that is wrong, a line each."""


@dataclass(frozen=True)
class Settings:
    project: str
    location: str
    """BigQuery's own where it is None."""
    endpoint: str | None
    """The dbt project, and its profiles.yml."""
    warehouse: Path
    """Where manifest.json and the rest are left: a folder of the mounted config bucket."""
    artifacts: Path
    audit_dataset: str
    time_zone: ZoneInfo
    """The list of federated tables; None where there are none."""
    federated: Path | None
    """How often what failed is tried again."""
    retries: int
    """An execution that is killed holds the warehouse for so long at most."""
    lock_minutes: int
    execution: str

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Settings":
        reader = _Reader(variables)
        settings = cls(
            project=reader.text("GOOGLE_CLOUD_PROJECT"),
            location=reader.text("BIGQUERY_LOCATION"),
            endpoint=variables.get("BIGQUERY_ENDPOINT") or None,
            warehouse=reader.folder("WAREHOUSE_DIR", "/warehouse"),
            artifacts=reader.folder("ARTIFACTS_DIR", "/artifacts"),
            audit_dataset=reader.text("AUDIT_DATASET", "isthmus_audit"),
            time_zone=reader.zone("EXPORT_TIMEZONE", "Asia/Tokyo"),
            retries=reader.number("RETRIES", 1, 0, 5),
            lock_minutes=reader.number("LOCK_MINUTES", 120, 1, 1440),
            federated=reader.file("FEDERATED_FILE"),
            # Where it is run by hand, another process is another execution.
            execution=variables.get("CLOUD_RUN_EXECUTION") or f"by-hand-{uuid4().hex[:12]}",
        )
        if reader.problems:
            raise InvalidSettings("\n".join(reader.problems))
        return settings

    def today(self) -> date:
        return datetime.now(self.time_zone).date()


class _Reader:
    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        value = self.variables.get(name) or default
        if not value:
            self.problems.append(f"{name} is not set")
        return value

    def folder(self, name: str, default: str) -> Path:
        path = Path(self.text(name, default))
        if not path.is_dir():
            self.problems.append(f"{name}: there is no folder {path}")
        return path

    def file(self, name: str) -> Path | None:
        """Not set where there is none."""
        path = Path(self.variables.get(name) or "")
        if path.name and not path.is_file():
            self.problems.append(f"{name}: there is no file {path}")
        return path if path.name else None

    def zone(self, name: str, default: str) -> ZoneInfo:
        value = self.text(name, default)
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError):
            self.problems.append(f"{name}: {value} is no time zone")
            return ZoneInfo("UTC")

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.variables.get(name) or str(default)
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            self.problems.append(f"{name} must be a number from {least} to {most}, found {value}")
            return default
        return int(value)
