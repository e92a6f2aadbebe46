import tempfile
import unittest
from datetime import date

from isthmus_dbt.__main__ import arguments
from isthmus_dbt.bigquery import late
from isthmus_dbt.settings import InvalidSettings, Settings


class SettingsOfTheJob(unittest.TestCase):
    def test_everything_that_is_wrong_is_told_at_once(self):
        wrong = {"WAREHOUSE_DIR": "/nowhere", "EXPORT_TIMEZONE": "Mars/Base", "RETRIES": "-1", "LOCK_MINUTES": "many", "FEDERATED_FILE": "/nowhere/f.yaml"}
        with self.assertRaises(InvalidSettings) as raised, tempfile.TemporaryDirectory() as artifacts:
            Settings.read(wrong | {"ARTIFACTS_DIR": artifacts})
        self.assertEqual(
            str(raised.exception).splitlines(),
            [
                "GOOGLE_CLOUD_PROJECT is not set",
                "BIGQUERY_LOCATION is not set",
                "WAREHOUSE_DIR: there is no folder /nowhere",
                "EXPORT_TIMEZONE: Mars/Base is no time zone",
                "RETRIES must be a number from 0 to 5, found -1",
                "LOCK_MINUTES must be a number from 1 to 1440, found many",
                "FEDERATED_FILE: there is no file /nowhere/f.yaml",
            ],
        )

    def test_two_that_are_started_by_hand_are_two_executions(self):
        with tempfile.TemporaryDirectory() as folder:
            variables = {"GOOGLE_CLOUD_PROJECT": "acme", "BIGQUERY_LOCATION": "US", "WAREHOUSE_DIR": folder, "ARTIFACTS_DIR": folder}
            self.assertNotEqual(Settings.read(variables).execution, Settings.read(variables).execution)
            self.assertEqual(Settings.read(variables | {"CLOUD_RUN_EXECUTION": "dbt-x7"}).execution, "dbt-x7")

    def test_arguments_are_those_that_the_workflow_and_a_person_give(self):
        options = arguments(["--export-date", "2026-11-22", "--select", "mart", "fct_orders+", "--full-refresh"])
        self.assertEqual(options.export_date, date(2026, 11, 22))
        self.assertEqual((options.select, options.full_refresh), (["mart", "fct_orders+"], True))

    def test_a_table_without_a_proof_of_the_day_is_late_whatever_became_of_it(self):
        states = {"shop.orders": "loaded", "shop.carts": "truncated", "app.log": "unchanged", "shop.items": "short (1 of 2 rows)"}
        found = late({*states, "shop.users"}, states, date(2026, 11, 22))
        expected = {"shop.items": "short (1 of 2 rows)", "shop.users": "no load of 2026-11-22 was proven"}
        self.assertEqual(found, expected)


if __name__ == "__main__":
    unittest.main()
