import json
import unittest

from isthmus_dbt import log
from isthmus_dbt.events import line_of


def finished(status, kind="model", **result):
    node = {"node_name": "fct_orders", "resource_type": kind, "unique_id": f"{kind}.w.fct_orders"}
    node["node_relation"] = {"schema": "warehouse"}
    return {"info": {"name": "NodeFinished", "level": "debug", "msg": ""},
            "data": {"node_info": node, "run_result": {"status": status, **result}}}  # fmt: skip


def said(name, level, msg):
    return {"info": {"name": name, "level": level, "msg": msg}, "data": {}}


class Events(unittest.TestCase):
    def test_a_model_tells_its_rows_and_bytes_and_the_job_of_bigquery(self):
        answer = {"rows_affected": 12.0, "bytes_billed": 10485760.0, "job_id": "j-1"}
        line = line_of(finished("success", execution_time=1.26, adapter_response=answer))
        self.assertEqual((line.severity, line.message), ("INFO", "model fct_orders: success in 1.3 s"))
        expected = {"event": "node", "kind": "model", "model": "fct_orders", "status": "success", "seconds": 1.3}
        expected |= {"dataset": "warehouse", "rows": 12, "bytes": 10485760, "job_id": "j-1"}
        self.assertEqual(line.fields, expected | {"unique_id": "model.w.fct_orders"})

    def test_what_failed_is_an_error_with_its_cause_and_without_colors(self):
        line = line_of(finished("error", message="\x1b[31mDatabase Error\x1b[0m no such column"))
        self.assertEqual(line.severity, "ERROR")
        self.assertEqual(line.message, "model fct_orders: error in 0.0 s: Database Error no such column")

    def test_a_test_tells_how_many_rows_are_wrong(self):
        line = line_of(finished("fail", kind="test", num_failures=3, message="Got 3 results"))
        self.assertEqual((line.severity, line.fields["failures"]), ("ERROR", 3))
        self.assertEqual(line_of(finished("warn", kind="test", num_failures=3)).severity, "WARNING")

    def test_a_stale_source_is_named_and_a_fresh_one_is_not(self):
        event = {"info": {"name": "LogFreshnessResult", "level": "warn", "msg": ""}}
        data = {"source_name": "shop", "table_name": "orders"}
        line = line_of(event | {"data": data | {"status": "warn"}})
        self.assertEqual((line.severity, line.fields["source"]), ("WARNING", "shop.orders"))
        self.assertEqual(line_of(event | {"data": data | {"status": "error"}}).severity, "ERROR")
        self.assertIsNone(line_of(event | {"data": data | {"status": "pass"}}))

    def test_other_warnings_pass_and_chatter_does_not(self):
        self.assertEqual(line_of(said("DeprecatedModel", "warn", "soon gone")).severity, "WARNING")
        self.assertEqual(line_of(said("MainEncounteredError", "error", "boom")).severity, "ERROR")
        self.assertIsNone(line_of(said("ConcurrencyLine", "info", "4 threads")))
        self.assertIsNone(line_of(said("RunResultError", "error", "told with the node")))

    def test_a_line_has_the_words_of_cloud_logging(self):
        line = json.loads(log.line("WARNING", "late", {"table": "shop.orders"}))
        self.assertEqual((line["severity"], line["level"], line["message"]), ("WARNING", "WARN", "late"))
        self.assertEqual(line["table"], "shop.orders")


if __name__ == "__main__":
    unittest.main()
