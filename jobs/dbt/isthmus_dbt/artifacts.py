"""What others read after a build: dbt's own artifacts, and the gates. Each file is written beside its place and then
renamed, so that a reader finds the old or the new one; gates.json comes last and speaks of the others."""
import json
import os
from pathlib import Path
from typing import Any


def write_json(folder: Path, name: str, value: Any) -> None:
    write(folder, name, json.dumps(value, indent=1, default=str).encode())


def copy(target: Path, folder: Path, name: str) -> None:
    write(folder, name, (target / name).read_bytes())


def fetch(folder: Path, target: Path, name: str) -> None:
    """What an earlier build left, if it did."""
    if (folder / name).is_file():
        (target / name).write_bytes((folder / name).read_bytes())


def write(folder: Path, name: str, body: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{name}.{os.getpid()}"
    new.write_bytes(body)
    new.replace(folder / name)
