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
LOAD, DBT, PUBLISH = "isthmus-stg-load-export", "isthmus-stg-dbt", "isthmus-stg-bigquery-to-s3"
JOBS = "projects/acme/locations/asia-northeast1/jobs/"

render.STANDARD_LIBRARY["null"] = None  # Workflows has the word, the emulator lacks it


def arguments(*words):
    return {"overrides": {"containerOverrides": [{"args": list(words)}]}}


def execution_of(job):
    """The error of a job that was started and failed."""
    name = f"projects/1/locations/asia-northeast1/jobs/j/executions/{job}-x7k2p"
    return {"tags": ["OperationError"], "operation": {"metadata": {"name": name}}}


def today(zone):
    return datetime.datetime.now(zoneinfo.ZoneInfo(zone)).date().isoformat()


class DailyWorkflow(unittest.TestCase):
    def run_day(self, argument, failing=(), error=None, **variables):
        """Gives what Cloud Run was asked for; the executions of the jobs named `failing` fail, with `error` or as theirs do."""
        self.calls = []

        def run_job(step):
            self.assertEqual(step["call"], "googleapis.run.v2.projects.locations.jobs.run")
            self.calls.append(step["args"])
            name = step["args"]["name"].removeprefix(JOBS)
            if name in failing:
                raise WorkflowError(error or execution_of(name))
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
        self.assertEqual(self.names(), [LOAD, PUBLISH])
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
        _, dbt, publish = self.run_day({"export_date": "2026-11-22"}, DBT_JOB=DBT)
        self.assertEqual(self.names(), [LOAD, DBT, PUBLISH])
        day = arguments("--export-date", "2026-11-22")
        self.assertEqual((dbt["body"], publish["body"]), (day, day))

    def test_a_task_tells_dbt_its_day(self):
        for task in ["prod-20261122-s101500", "prod-eu-20261122", "stg-20261122"]:
            dbt = self.run_day({"task_id": task}, DBT_JOB=DBT)[1]
            self.assertEqual(dbt["body"], arguments("--export-date", "2026-11-22"), task)

    def test_after_a_load_or_a_model_that_failed_the_syncs_of_the_day_are_gated_and_the_first_failure_is_told(self):
        day = arguments("--export-date", "2026-11-22")
        for failing in [(LOAD,), (DBT,), (LOAD, DBT), (LOAD, DBT, PUBLISH), (DBT, PUBLISH), (PUBLISH,)]:
            with self.assertRaisesRegex(Exception, rf"{failing[0]} failed, see https://\S+/{failing[0]}-x7k2p/tasks"):
                self.run_day({"export_date": "2026-11-22"}, failing, DBT_JOB=DBT)
            self.assertEqual(self.names(), [LOAD, DBT, PUBLISH])
            self.assertEqual(self.calls[2]["body"], day)

    def test_without_dbt_nothing_is_published_after_a_load_that_failed(self):
        with self.assertRaisesRegex(Exception, rf"{LOAD} failed, see https://\S+/{LOAD}-x7k2p/tasks\?project=acme"):
            self.run_day({}, [LOAD])
        self.assertEqual(self.names(), [LOAD])

    def test_a_job_that_cannot_be_started_ends_the_day(self):
        for failing, ran in [(LOAD, [LOAD]), (DBT, [LOAD, DBT])]:
            with self.assertRaisesRegex(Exception, rf"{failing} failed, see https://"):
                self.run_day({}, [failing], {"tags": ["HttpError"], "code": 403}, DBT_JOB=DBT)
            self.assertEqual(self.names(), ran)

    def test_what_is_no_date_is_refused_before_anything_runs(self):
        with self.assertRaisesRegex(Exception, "export_date must be a date such as 2026-11-22, found yesterday"):
            self.run_day({"export_date": "yesterday"})
        self.assertEqual(self.calls, [])

    def test_what_is_no_task_is_refused_before_anything_runs(self):
        with self.assertRaisesRegex(Exception, "task_id must be an export task such as prod-20261122-s101500, found today"):
            self.run_day({"task_id": "today"})
        self.assertEqual(self.calls, [])

    def test_a_failure_without_an_execution_links_the_job(self):
        link = r"bigquery-to-s3 failed, see https://\S+/details/asia-northeast1/isthmus-stg-bigquery-to-s3/executions"
        with self.assertRaisesRegex(Exception, link):
            self.run_day({}, [PUBLISH], {"tags": ["HttpError"], "code": 403})


if __name__ == "__main__":
    unittest.main()
