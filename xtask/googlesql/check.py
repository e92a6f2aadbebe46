"""Puts every statement that our programs sent to BigQuery in the tests, and every query that the repository shows, to
GoogleSQL's own analyzer; and every statement that dbt has compiled. Prints what it says against one, with the place;
ends with 1 if there was anything.

check.py ROOT RECORDED COMPILED CACHE
"""
import json
import re
import sys
from pathlib import Path

import googlesql
import yaml
from warehouse import Warehouse

root, recorded, compiled, cache = map(Path, sys.argv[1:5])
googlesql.keep_compiled(cache)
options = googlesql.language()
problems, analyzed = [], 0


def judge(place: str, sql: str, tables: dict, parameters: list, default: str | None) -> None:
    global analyzed
    analyzed += 1
    try:
        googlesql.analyze(sql, tables, parameters, default, options)
    except Exception as refused:
        problems.append(f"{place}: {str(refused).removeprefix('[INVALID_ARGUMENT] ')}\n    {sql.strip()[:600]}")


# What the analyzer cannot know, each with what holds it instead.
NOT_ANALYZED = (
    "EXTERNAL_QUERY(",  # its columns are another database's: the stories run it against a real one
    "__TABLES__",  # dbt's adapter asks for its catalog
    "INFORMATION_SCHEMA.TABLE_STORAGE",  # dbt's adapter asks how old a source is
    "declare dbt_partitions_for_replacement",  # dbt's own script around a model, which is analyzed as it is compiled
)
left = 0
for file in sorted(recorded.glob("*.json")):
    said = json.loads(file.read_text())
    if not said["sql"].strip() or any(part in said["sql"] for part in NOT_ANALYZED):
        left += 1
        continue
    judge(file.name, said["sql"], said["tables"], said["parameters"], said["default"])
sent = analyzed
if sent == 0:
    problems.append(f"{recorded} holds no statement: run `cargo xtask test --only test` first")

# Queries of config/, of the demo and of the documents, over the tables that they speak of.
samples = json.loads((root / "xtask/googlesql/sample_tables.json").read_text())
for file in sorted([*root.glob("config/**/*.sql"), *root.glob("local/src/demo/syncs/*.sql")]):
    judge(str(file.relative_to(root)), file.read_text(), samples, [], None)
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def queries_of(kind: str, body: str) -> list[str]:
    """A block of SQL, or the queries of the syncs in a block of YAML."""
    if kind != "yaml":
        return [body] if kind == "sql" else []
    try:
        said = yaml.safe_load(body)
    except yaml.YAMLError:
        return []  # a part of a file
    syncs = said.get("syncs") if isinstance(said, dict) else None
    return [sync["query"] for sync in (syncs or {}).values() if isinstance(sync, dict) and "query" in sync]


for file in [root / "README.md", *sorted(root.glob("docs/**/*.md")), *sorted(root.glob("config/*.yaml"))]:
    text = file.read_text()
    for kind, body in FENCE.findall(text) if file.suffix == ".md" else [("yaml", text)]:
        for query in queries_of(kind, body):
            judge(str(file.relative_to(root)), query, samples, [], None)

# The repository's own dbt project; a query of config/ reads what its marts really give.
warehouse = Warehouse(json.loads(compiled.read_text()), options)
problems += warehouse.problems + warehouse.differing(samples)

# What takes anything would find nothing.
for wrong, refusal in {
    "SELECT nobody FROM mart.user_profiles": "Unrecognized name: nobody [at 1:8]",
    "SELECT 1;\nMERGE mart.user_profiles USING mart.planes ON TRUE WHEN MATCHED THEN UPDATE SET nobody = 1": "nobody",
    "SELECT 'é'; CREATE TABLE mart.made AS SELECT 1": "CREATE TABLE columns must be named",
    "SELECT 1;\nSELEC 2": "[at 2:1]",
}.items():
    try:
        googlesql.analyze(wrong, samples, [], None, options)
        problems.append(f"the analyzer took {wrong}")
    except Exception as refused:
        if refusal not in str(refused):
            problems.append(f"the analyzer does not work, it says of {wrong}: {refused}")

for problem in problems:
    print(problem)
queries = analyzed - sent
print(f"{sent} statements of the tests, {left} left out, {queries} queries of the repository, {warehouse.analyzed} statements of dbt")
sys.exit(bool(problems))
