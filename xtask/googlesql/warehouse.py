"""The statements of a dbt project, as compile_dbt.py has left them: each is analyzed over what those before it give."""
import re

import googlesql

# What dbt adds to a snapshot.
OF_A_SNAPSHOT = {
    "dbt_scd_id": "STRING", "dbt_updated_at": "TIMESTAMP", "dbt_valid_from": "TIMESTAMP", "dbt_valid_to": "TIMESTAMP",
}  # fmt: skip


class Warehouse:
    def __init__(self, compiled: dict, options):
        self.options = options
        self.problems: list[str] = []
        self.analyzed = 0
        self.refused: set[str] = set()
        self.tables = {
            plain(relation): [{"name": each["name"], "type": each["type"].upper()} for each in columns]
            for relation, columns in compiled["tables"].items()
        }
        for each in compiled["first"]:
            self.judge(each, "")
        known = {(each["kind"], each["name"]): each["sql"] for each in compiled["first"]}
        for each in compiled["later"]:
            if known.get((each["kind"], each["name"])) != each["sql"]:
                self.judge(each, ", when its table is there")

    def judge(self, each: dict, when: str) -> None:
        self.analyzed += 1
        place = f"warehouse/{each['file']} ({each['name']}{when})"
        # A table that is made of it: so each column has a name, and a name of its own.
        makes = each["kind"] in ("model", "snapshot")
        sql = f"CREATE TABLE made AS\n{each['sql']}" if makes else each["sql"]
        try:
            columns = googlesql.analyze(sql, self.tables, [], None, self.options)
        except Exception as refused:
            self.refused.add(plain(each["relation"] or each["name"]))
            # What reads of a refused one is not told: it would say that there is no such table.
            if not any(re.search(rf"Table not found: {name}\b", str(refused)) for name in self.refused):
                self.problems.append(f"{place}: {str(refused).removeprefix('[INVALID_ARGUMENT] ')}\n    {sql.strip()}")
            return
        if makes:
            given = [{"name": name, "type": kind} for name, kind in columns]
            self.hold_contract(place, each["contract"], given)
            added = OF_A_SNAPSHOT if each["kind"] == "snapshot" else {}
            self.tables[plain(each["relation"])] = given + [{"name": n, "type": t} for n, t in added.items()]

    def hold_contract(self, place: str, contract: list[dict] | None, given: list[dict]) -> None:
        if contract is None:
            return
        promised = {each["name"]: each["type"].upper() for each in contract}
        found = {each["name"]: googlesql.name_of(each["type"]).upper() for each in given}
        if promised != found:
            self.problems.append(f"{place}: its contract says {promised}, it gives {found}")

    def differing(self, samples: dict) -> list[str]:
        """The tables of the samples that the project makes, with other columns."""
        made = {name.split(".", 1)[1]: fields for name, fields in self.tables.items()}
        return [
            f"xtask/googlesql/sample_tables.json: {name} has {shown(fields)}, the model gives {shown(made[bare])}"
            for name, fields in samples.items()
            if (bare := name.split(".", 1)[1]) in made and shown(fields) != shown(made[bare])
        ]


def plain(relation: str) -> str:
    """`a`.`b`.`c` without the backticks."""
    return relation.replace("`", "")


def shown(fields: list[dict]) -> list[str]:
    return [f"{each['name']} {googlesql.name_of(googlesql.type_of(each))}" for each in fields]
