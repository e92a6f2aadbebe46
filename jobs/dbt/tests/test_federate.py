import json
import unittest
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch
from zoneinfo import ZoneInfo

from google.api_core import exceptions

from isthmus_dbt.audit import PROVEN, SAID
from isthmus_dbt.federate import Federation, states
from isthmus_dbt.federated import Table
from isthmus_dbt.settings import Settings

WHOLE = Table("pharmacy", "postgres", "raw_pharmacy", "public.prescriptions", "*", None)
GROWING = Table("pharmacy", "postgres", "raw_pharmacy", "public.events", "*", "id")
ALL_COLUMNS = ["export_date", *SAID["later_columns"]]


class Warehouse:
    """Answers what is asked for: the first word of `answers` that a statement has says with which rows, or with what error."""

    def __init__(self, **answers):
        self.answers = {"MAX(isthmus_rows)": 3, "COUNT(*)": 3} | answers
        self.asked, self.parameters, self.tables = [], {}, {"loads": ALL_COLUMNS, "latest_loads": ALL_COLUMNS}

    def query_and_wait(self, sql, job_config=None):
        self.asked.append(sql)
        if job_config:
            self.parameters |= {one.name: one.value for one in job_config.query_parameters}
        answer = next((answer for word, answer in self.answers.items() if word in sql), [])
        if isinstance(answer, list) and answer and isinstance(answer[0], Exception):
            raise answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, list) else [SimpleNamespace(n=answer)]

    def get_table(self, name):
        columns = self.tables.get(name.rpartition(".")[2])
        if columns is None:
            raise exceptions.NotFound(name)
        return SimpleNamespace(schema=[SimpleNamespace(name=column) for column in columns])

    def written(self):
        return json.loads(self.parameters["outcomes"])


class Federate(unittest.TestCase):
    def load(self, warehouse, *tables):
        settings = Settings("acme", "asia-northeast1", None, Path(), Path(), "audit", ZoneInfo("Asia/Tokyo"), None, 0, 1, "dbt-1")
        self.today, self.slept = settings.today(), []
        with patch("isthmus_dbt.audit.sleep", self.slept.append):
            return Federation(warehouse, settings).load(list(tables))

    def test_rows_are_written_down_as_those_of_the_day_on_which_they_were_read(self):
        warehouse = Warehouse()
        (outcome,) = self.load(warehouse, WHOLE)
        self.assertEqual(states([outcome]), {"pharmacy.public.prescriptions": "loaded"})
        self.assertEqual(date.fromisoformat(warehouse.parameters["export_date"]), self.today)
        expected = ("pharmacy.public.prescriptions", "loaded", 3, 3, "rows")
        keys = ("table_name", "state", "rows_expected", "rows_loaded", "proof")
        self.assertEqual([tuple(row[key] for key in keys) for row in warehouse.written()], [expected])

    def test_the_audit_is_made_where_nobody_has_loaded_yet_and_gets_the_columns_that_it_lacks(self):
        warehouse = Warehouse()
        warehouse.tables = {}
        self.load(warehouse, WHOLE)
        made = [sql.split("(")[0] for sql in warehouse.asked if sql.startswith(("CREATE TABLE", "CREATE VIEW", "MERGE `acme.audit"))]
        self.assertEqual(made[0], "CREATE TABLE IF NOT EXISTS `acme.audit.loads` ")
        self.assertTrue(made[1].startswith("CREATE VIEW IF NOT EXISTS `acme.audit.latest_loads` AS SELECT * FROM `acme.audit.loads`"))
        self.assertTrue(made[2].startswith("MERGE `acme.audit.loads` AS old"))
        warehouse = Warehouse()
        warehouse.tables["loads"] = ALL_COLUMNS[:2]
        self.load(warehouse, WHOLE)
        self.assertIn("ALTER TABLE `acme.audit.loads` ADD COLUMN IF NOT EXISTS load_id STRING", "\n".join(warehouse.asked))

    def test_an_audit_that_another_writes_to_at_the_same_time_is_written_in_the_next_try(self):
        crossed = [exceptions.BadRequest("Could not serialize access to table loads due to concurrent update")] * 2
        outcomes = self.load(Warehouse(**{"MERGE `acme.audit": crossed}), WHOLE)
        self.assertEqual((states(outcomes), self.slept), ({"pharmacy.public.prescriptions": "loaded"}, [1, 4]))

    def test_an_audit_that_cannot_be_written_makes_the_tables_late_and_stops_nothing(self):
        outcomes = self.load(Warehouse(**{"MERGE `acme.audit": exceptions.Forbidden("no")}), WHOLE)
        self.assertEqual(states(outcomes), {"pharmacy.public.prescriptions": "failed (not in the audit: 403 no)"})

    def test_advice_that_cannot_be_given_stops_nothing(self):
        refused = exceptions.BadRequest("Postgres type (OID = 2950) isn't supported")
        for trouble in (exceptions.ServiceUnavailable("down"), ValueError("what is this")):
            answers = {"information_schema": trouble, "prescriptions": refused}
            warehouse = Warehouse(**answers)
            first, second = self.load(warehouse, WHOLE, Table("stock", "mysql", "raw_stock", "shelves", "*", None))
            self.assertIn("isn't supported; the database was asked for the types of its columns in vain", first.message)
            self.assertEqual([row["state"] for row in warehouse.written()], ["failed", "loaded"])

    def test_whatever_goes_wrong_with_a_table_is_that_tables_failure(self):
        # The copy was proven, and did not get to its place.
        for trouble in (exceptions.ServiceUnavailable("gone"), OSError("reset"), TypeError("odd")):
            warehouse = Warehouse(**{"CREATE OR REPLACE TABLE `acme.raw_pharmacy.": trouble})
            first, second = self.load(warehouse, WHOLE, Table("stock", "mysql", "raw_stock", "shelves", "*", None))
            self.assertEqual((first.state, second.state), ("failed", "loaded"))

    def test_a_key_that_is_no_whole_number_is_refused_before_anything_is_read_or_written(self):
        for type_, told in (("uuid", "key id is uuid, no whole number: read it whole (mode: full)"), (None, "the database shows no column id of public.events")):
            types = [SimpleNamespace(name="ID", type=type_)] if type_ else []
            warehouse = Warehouse(information_schema=types)
            (outcome,) = self.load(warehouse, GROWING)
            self.assertEqual((outcome.state, outcome.message), ("failed", told))
            touched = [sql for sql in warehouse.asked if "raw_pharmacy" in sql]
            self.assertEqual(touched, [])
        bigint = [SimpleNamespace(name="id", type="bigint")]
        warehouse = Warehouse(**{"information_schema": bigint, "MAX(`id`)": 3})
        (outcome,) = self.load(warehouse, GROWING)
        self.assertEqual(outcome.state, "loaded")
        self.assertTrue(any(sql.startswith("MERGE `acme.raw_pharmacy.events`") for sql in warehouse.asked))


class Proven(unittest.TestCase):
    def test_a_source_is_as_old_as_its_newest_proven_load_by_the_states_of_the_audit(self):
        macro = (Path(__file__).parents[3] / "warehouse/macros/proven_at.sql").read_text()
        words = macro.split("state IN (")[1].split(")")[0]
        self.assertEqual({word.strip(" '") for word in words.split(",")}, PROVEN)


if __name__ == "__main__":
    unittest.main()
