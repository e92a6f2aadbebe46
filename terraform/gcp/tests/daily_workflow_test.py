"""The daily workflow, run by an emulator of Google Workflows; only the call of Cloud Run is played.

    python -m venv V && V/bin/pip install workflows-emulator==1.10.0 && V/bin/python tests/daily_workflow_test.py
"""

import datetime
import os
import unittest
import zoneinfo
from pathlib import Path
from unittest import mock

from workflows_emulator import render
from workflows_emulator.main import StepCall, execute_workflow, load_workflow
from workflows_emulator.utils import WorkflowError

WORKFLOW = Path(__file__).parent.parent / "daily.workflow.yaml"
VARIABLES = {
    "GOOGLE_CLOUD_PROJECT_ID": "acme",
    "GOOGLE_CLOUD_LOCATION": "asia-northeast1",
    "LOAD_EXPORT_JOB": "isthmus-stg-load-export",
    "DBT_JOB": "",
    "BIGQUERY_TO_S3_JOB": "isthmus-stg-bigquery-to-s3",
    "EXPORT_TIMEZONE": "Asia/Tokyo",
}
JOBS = "projects/acme/locations/asia-northeast1/jobs/"

render.STANDARD_LIBRARY["null"] = None  # Workflows has the word, the emulator lacks it


def arguments(*words):
    return {"overrides": {"containerOverrides": [{"args": list(words)}]}}


def today(zone):
    return datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date().isoformat()


class DailyWorkflow(unittest.TestCase):
    def run_day(self, argument, failing=None, error=None, **variables):
        """Gives what Cloud Run was asked for; `failing` is the job whose execution fails with `error`."""
        self.calls = []

        def run_job(step):
            self.assertEqual(step["call"], "googleapis.run.v2.projects.locations.jobs.run")
            self.calls.append(step["args"])
            if failing and step["args"]["name"].endswith(failing):
                raise WorkflowError(error)
            return {}

        with mock.patch.dict(os.environ, VARIABLES | variables), mock.patch.object(
            StepCall, "execute_connector", staticmethod(run_job)
        ):
            # Google gives main its whole argument as the one parameter; the emulator wants it by its name.
            execute_workflow(load_workflow(str(WORKFLOW)), {"input": argument})
        return self.calls

    def names(self):
        return [call["name"].removeprefix(JOBS) for call in self.calls]

    def test_both_jobs_run_in_order_with_their_own_arguments(self):
        load, publish = self.run_day({})
        self.assertEqual(self.names(), ["isthmus-stg-load-export", "isthmus-stg-bigquery-to-s3"])
        self.assertEqual((load["body"], publish["body"]), (arguments("--export-date", today("Asia/Tokyo")), {}))

    def test_no_input_is_today_where_the_business_is(self):
        # At least one of the two has another date than UTC, whatever time it is.
        for zone in ["Etc/GMT-14", "Etc/GMT+12"]:
            before = today(zone)
            load = self.run_day(None, EXPORT_TIMEZONE=zone)[0]
            self.assertIn(load["body"], [arguments("--export-date", day) for day in (before, today(zone))])

    def test_a_job_is_waited_for_longer_than_the_connectors_half_hour(self):
        seconds = [call["connector_params"]["timeout"] for call in self.run_day({})]
        self.assertTrue(all(wait >= 4 * 43200 for wait in seconds), seconds)

    def test_another_export_date_reaches_load_export_and_nobody_else(self):
        load, publish = self.run_day({"export_date": "2026-11-22"})
        self.assertEqual((load["body"], publish["body"]), (arguments("--export-date", "2026-11-22"), {}))

    def test_a_task_reaches_load_export_which_waits_for_it(self):
        task = "prod-20261122-s101500"
        self.assertEqual(self.run_day({"task_id": task})[0]["body"], arguments("--task-id", task))
        both = self.run_day({"export_date": "2026-11-22", "task_id": task})[0]["body"]
        self.assertEqual(both, arguments("--export-date", "2026-11-22", "--task-id", task))

    def test_dbt_runs_between_them_and_is_told_the_day(self):
        dbt = self.run_day({"export_date": "2026-11-22"}, DBT_JOB="dbt")[1]
        self.assertEqual(self.names(), ["isthmus-stg-load-export", "dbt", "isthmus-stg-bigquery-to-s3"])
        self.assertEqual(dbt["body"], arguments("--export-date", "2026-11-22"))

    def test_a_task_tells_dbt_its_day(self):
        for task in ["prod-20261122-s101500", "prod-eu-20261122", "stg-20261122"]:
            dbt = self.run_day({"task_id": task}, DBT_JOB="dbt")[1]
            self.assertEqual(dbt["body"], arguments("--export-date", "2026-11-22"), task)

    def test_after_a_load_or_a_model_that_failed_the_others_go_on_and_the_day_fails(self):
        everything = ["isthmus-stg-load-export", "isthmus-stg-dbt", "isthmus-stg-bigquery-to-s3"]
        for failing in ["load-export", "dbt"]:
            with self.assertRaisesRegex(Exception, f"isthmus-stg-{failing} failed, see https://"):
                self.run_day({}, failing=failing, error={"tags": ["HttpError"]}, DBT_JOB="isthmus-stg-dbt")
            self.assertEqual(self.names(), everything)

    def test_what_is_no_date_is_refused_before_anything_runs(self):
        with self.assertRaisesRegex(Exception, "export_date must be a date such as 2026-11-22, found yesterday"):
            self.run_day({"export_date": "yesterday"})
        self.assertEqual(self.calls, [])

    def test_what_is_no_task_is_refused_before_anything_runs(self):
        with self.assertRaisesRegex(Exception, "task_id must be an export task such as prod-20261122-s101500, found today"):
            self.run_day({"task_id": "today"})
        self.assertEqual(self.calls, [])

    def test_the_first_failure_stops_the_day_and_links_the_execution(self):
        execution = "projects/1/locations/asia-northeast1/jobs/j/executions/isthmus-stg-load-export-x7k2p"
        error = {"tags": ["OperationError"], "operation": {"metadata": {"name": execution}}}
        link = r"isthmus-stg-load-export failed, see https://\S+/isthmus-stg-load-export-x7k2p/tasks\?project=acme"
        with self.assertRaisesRegex(Exception, link):
            self.run_day({}, failing="load-export", error=error)
        self.assertEqual(self.names(), ["isthmus-stg-load-export"])

    def test_a_failure_without_an_execution_links_the_job(self):
        link = r"bigquery-to-s3 failed, see https://\S+/details/asia-northeast1/isthmus-stg-bigquery-to-s3/executions"
        with self.assertRaisesRegex(Exception, link):
            self.run_day({}, failing="bigquery-to-s3", error={"tags": ["HttpError"], "code": 403})


if __name__ == "__main__":
    unittest.main()
