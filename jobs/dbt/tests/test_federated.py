import tempfile
import unittest
from pathlib import Path

from isthmus_dbt.federated import InvalidFederated, Table, apart, external, read


def tables(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "federated.yaml"
        path.write_text(text)
        return read(path)


GOOD = """
connections:
  pharmacy:
    engine: postgres
    dataset: raw_pharmacy
    tables:
      public.prescriptions: {columns: "id, CAST(patient AS text) AS patient"}
      public.events: {mode: incremental, key: id}
  stock:
    engine: mysql
    dataset: raw_stock
    tables:
      shelves: {}
"""


class Federated(unittest.TestCase):
    def test_each_table_is_read_with_its_columns_and_counted_in_the_same_statement(self):
        prescriptions, events, shelves = tables(GOOD)
        expected = Table("pharmacy", "postgres", "raw_pharmacy", "public.prescriptions", "id, CAST(patient AS text) AS patient", None)
        self.assertEqual(prescriptions, expected)
        self.assertEqual((prescriptions.audited, prescriptions.name), ("pharmacy.public.prescriptions", "prescriptions"))
        sql = 'SELECT id, CAST(patient AS text) AS patient, COUNT(*) OVER () AS isthmus_rows FROM "public"."prescriptions"'
        self.assertEqual(prescriptions.rows(None), sql)
        self.assertEqual(shelves.rows(None), "SELECT *, COUNT(*) OVER () AS isthmus_rows FROM `shelves`")

    def test_new_rows_are_those_behind_the_largest_key(self):
        events = tables(GOOD)[1]
        self.assertTrue(events.rows(7).endswith('FROM "public"."events" WHERE "id" > 7'))
        self.assertEqual(events.count(7), 'SELECT COUNT(*) AS n FROM "public"."events" WHERE "id" <= 7')
        self.assertNotIn("WHERE", events.rows(None))

    def test_each_type_that_bigquery_does_not_know_has_its_cast(self):
        prescriptions, _, shelves = tables(GOOD)
        found = prescriptions.casts([("id", "bigint"), ("patient", "uuid"), ("note", "text"), ("facts", "jsonb"), ("tags", "ARRAY")])
        expected = ["CAST(patient AS text) AS patient", "CAST(facts AS text) AS facts", "CAST(tags AS text) AS tags"]
        self.assertEqual(found, expected)
        found = shelves.casts([("id", "int"), ("place", "point"), ("flags", "bit")])
        self.assertEqual(found, ["ST_AsText(place) AS place", "flags + 0 AS flags"])
        self.assertIn("table_schema = 'public'", prescriptions.types())
        self.assertIn("table_schema = DATABASE()", shelves.types())

    def test_quotes_and_backslashes_of_the_database_reach_it(self):
        sql = "SELECT '\\d' AS a FROM \"public\".\"events\""
        expected = "EXTERNAL_QUERY('p.asia-northeast1.pharmacy', \"SELECT '\\\\d' AS a FROM \\\"public\\\".\\\"events\\\"\")"
        self.assertEqual(external("p.asia-northeast1", "pharmacy", sql), expected)

    def test_everything_that_is_wrong_is_told_at_once(self):
        with self.assertRaises(InvalidFederated) as raised:
            tables("""
connections:
  pharmacy:
    engine: oracle
    dataset: raw-pharmacy
    tables:
      public.a: {mode: incremental}
      b; DROP TABLE c: {}
      d: {columns: "x FROM y; --", speed: fast}
  other: {engine: mysql, dataset: raw_other, tables: {a: {}, s.a: {}}}
""")
        told = str(raised.exception).splitlines()
        self.assertEqual(
            told,
            [
                "federated.yaml: pharmacy.engine: expected postgres or mysql, found oracle",
                "federated.yaml: pharmacy.dataset: expected letters, digits and underscores, found raw-pharmacy",
                "federated.yaml: pharmacy.public.a: a key belongs to mode incremental, and that mode to a key",
                "federated.yaml: pharmacy.b; DROP TABLE c: expected a table, with its schema or without",
                "federated.yaml: pharmacy.d.speed: no such setting, expected columns, key, mode",
                "federated.yaml: pharmacy.d.columns: expected what stands between SELECT and FROM",
                "federated.yaml: raw_other.a is the destination of two tables",
            ],
        )

    def test_a_table_that_another_list_loads_or_names_alike_is_told(self):
        def source(dataset, table, name):
            return {"schema": dataset, "identifier": table, "meta": {"isthmus_table": name}, "source_name": "shop", "name": table}

        own = [source("raw_pharmacy", "prescriptions", "pharmacy.public.prescriptions"), source("raw_shop", "events", "shop.events")]
        apart(tables(GOOD), own)
        others = [source("raw_stock", "shelves", "shop.shelves"), source("raw_shop", "events", "pharmacy.public.events")]
        with self.assertRaises(InvalidFederated) as raised:
            apart(tables(GOOD), own + others)
        self.assertEqual(
            str(raised.exception).splitlines(),
            [
                "federated.yaml: pharmacy.public.events: pharmacy.public.events is the name in the audit of the source shop.events too",
                "federated.yaml: stock.shelves: raw_stock.shelves is the destination of the source shop.shelves too",
            ],
        )

    def test_the_sample_of_the_document_is_good(self):
        text = (Path(__file__).parents[3] / "docs/spec/federated.md").read_text()
        sample = text.split("```yaml federated\n")[1].split("```")[0]
        self.assertEqual([table.key for table in tables(sample)], [None, "id"])

    def test_a_file_that_is_no_yaml_is_told(self):
        with self.assertRaisesRegex(InvalidFederated, "federated.yaml: "):
            tables("connections: [")


if __name__ == "__main__":
    unittest.main()
