"""Compiles a dbt project, without a BigQuery: all that dbt asks of it is whether a table is there, and that is answered
here. Twice: on the first day none is there, on every later one all are. Writes the sources, the seeds, and each compiled
statement after those that it reads, into FOLDER/compiled.json.

compile_dbt.py PROJECT FOLDER
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from dbt.cli.main import dbtRunner

project, folder = (Path(each).resolve() for each in sys.argv[1:3])
NAME = "check"


class Tables(BaseHTTPRequestHandler):
    """`tables.get` and `routines.get` of BigQuery's REST API, and nothing else."""

    are_there = False

    def do_GET(self) -> None:
        path = self.path.split("?")[0].split("/")
        if len(path) != 9 or path[-2] not in ("tables", "routines"):
            self.answer(501, {"error": {"code": 501, "message": f"dbt asks for {self.path}, which is not answered here"}})
        elif not self.are_there or path[-2] == "routines":
            self.answer(404, {"error": {"code": 404, "message": f"Not found: {path[-1]}"}})
        else:
            table = {"projectId": path[-5], "datasetId": path[-3], "tableId": path[-1]}
            self.answer(200, {"kind": "bigquery#table", "type": "TABLE", "tableReference": table})

    def answer(self, status: int, said: dict) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


def columns_of(node) -> list[dict]:
    return [{"name": each.name, "type": each.data_type} for each in node.columns.values()]


def statement(node) -> dict:
    contract = columns_of(node) if getattr(node, "contract", None) and node.contract.enforced else None
    return {"file": node.original_file_path, "name": node.name, "kind": str(node.resource_type),
            "relation": node.relation_name, "sql": node.compiled_code, "contract": contract}  # fmt: skip


def compiled() -> list[dict]:
    options = ["--no-populate-cache", "--threads", "1", "--project-dir", project, "--profiles-dir", folder]
    options += ["--target-path", folder, "--log-path", folder]
    outcome = dbtRunner().invoke(["--quiet", "--no-use-colors", "compile", *map(str, options)])
    if not outcome.success:
        wrong = [f"{each.node.original_file_path}: {each.message}" for each in outcome.result or [] if each.message]
        sys.exit("\n".join([str(outcome.exception or "dbt compile failed"), *wrong]))
    return [statement(each.node) for each in outcome.result if each.node.compiled_code]


server = ThreadingHTTPServer(("127.0.0.1", 0), Tables)
Thread(target=server.serve_forever, daemon=True).start()
folder.mkdir(parents=True, exist_ok=True)
connection = {
    "type": "bigquery", "method": "oauth-secrets", "token": "none", "project": NAME, "location": "asia-northeast1",
    "dataset": "staging", "threads": 1, "api_endpoint": f"http://127.0.0.1:{server.server_port}",
}  # fmt: skip
profile = {"isthmus": {"target": NAME, "outputs": {NAME: connection}}}
(folder / "profiles.yml").write_text(json.dumps(profile))
first = compiled()
Tables.are_there = True
later = compiled()
manifest = json.loads((folder / "manifest.json").read_text())
tables = {
    source["relation_name"]: [
        {"name": each["name"], "type": each["data_type"]} for each in source["columns"].values()
    ]
    for source in manifest["sources"].values()
}
for seed in (node for node in manifest["nodes"].values() if node["resource_type"] == "seed"):
    tables[seed["relation_name"]] = [
        {"name": name, "type": of} for name, of in seed["config"]["column_types"].items()
    ]
(folder / "compiled.json").write_text(json.dumps({"tables": tables, "first": first, "later": later}))
