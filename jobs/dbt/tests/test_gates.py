import unittest

from isthmus_dbt.gates import gates

# raw.orders -> stg -> fct -> profiles -> the sync user-profiles; raw.prices -> prices -> the sync item-prices.
MANIFEST = {
    "exposures": {
        "exposure.w.sync_user_profiles": {"meta": {"isthmus_sync": "user-profiles"}},
        "exposure.w.sync_item_prices": {"meta": {"isthmus_sync": "item-prices"}},
        "exposure.w.dashboard": {"meta": {}},
    },
    "sources": {
        "source.w.shop.orders": {"meta": {"isthmus_table": "shop.orders"}},
        "source.w.shop.prices": {"meta": {"isthmus_table": "shop.prices"}},
        "source.w.other.rates": {"meta": {}},
    },
    "nodes": {"test.w.unique_fct.1": {"name": "unique_fct"}, "test.w.every_price.2": {"name": "every_price"}},
    "unit_tests": {"unit_test.w.fct.adds_up": {"name": "adds_up"}},
    "parent_map": {
        "exposure.w.sync_user_profiles": ["model.w.profiles"],
        "exposure.w.sync_item_prices": ["model.w.prices"],
        "exposure.w.dashboard": ["model.w.fct"],
        "model.w.profiles": ["model.w.fct"],
        "model.w.fct": ["model.w.stg"],
        "model.w.stg": ["source.w.shop.orders"],
        "model.w.prices": ["source.w.shop.prices", "source.w.other.rates"],
        "test.w.unique_fct.1": ["model.w.fct"],
        "test.w.every_price.2": ["model.w.prices", "model.w.fct"],
        "unit_test.w.fct.adds_up": ["model.w.fct"],
    },
}
NODES = [
    "model.w.profiles", "model.w.fct", "model.w.stg", "model.w.prices", "test.w.unique_fct.1", "test.w.every_price.2",
    "unit_test.w.fct.adds_up",
]  # fmt: skip


def results(**changed):
    """Everything went well, but for these."""
    good = {name: {"status": "success" if name.startswith("model") else "pass", "message": None} for name in NODES}
    for short, (status, message) in changed.items():
        name = next(name for name in NODES if short in name.split(".")[2:])
        good[name] = {"status": status, "message": message}
    return good


class Gates(unittest.TestCase):
    def because(self, results, late=None):
        decided = gates(MANIFEST, results, late or {})
        self.assertEqual(list(decided), ["item-prices", "user-profiles"])
        for gate in decided.values():
            self.assertEqual(gate["fresh"], not gate["because"])
        return {sync: gate["because"] for sync, gate in decided.items()}

    def test_a_day_on_which_all_went_well_makes_every_sync_fresh(self):
        self.assertEqual(self.because(results()), {"item-prices": [], "user-profiles": []})

    def test_a_late_table_holds_back_the_syncs_that_come_of_it_and_is_named(self):
        found = self.because(results(), {"shop.orders": "short (1 of 2 rows)"})
        self.assertEqual(found, {"item-prices": [], "user-profiles": ["table shop.orders: short (1 of 2 rows)"]})

    def test_a_model_that_failed_holds_back_what_comes_of_it_and_nothing_else(self):
        found = self.because(results(fct=("error", "no such column: x\n"), profiles=("skipped", None)))
        self.assertEqual(found["item-prices"], [])
        self.assertEqual(found["user-profiles"], ["model fct: no such column: x", "model profiles: skipped"])

    def test_a_test_that_failed_holds_back_the_syncs_of_its_model_even_if_nothing_was_skipped(self):
        found = self.because(results(unique_fct=("fail", "Got 1 result")))
        self.assertEqual(found, {"item-prices": [], "user-profiles": ["test unique_fct: Got 1 result"]})

    def test_a_test_of_two_models_speaks_of_the_syncs_of_both(self):
        found = self.because(results(every_price=("fail", "Got 1 result")))
        self.assertEqual(set(map(tuple, found.values())), {("test every_price: Got 1 result",)})

    def test_a_test_that_only_warns_holds_nothing_back(self):
        self.assertEqual(self.because(results(unique_fct=("warn", "Got 1 result")))["user-profiles"], [])

    def test_a_model_that_this_run_left_out_is_not_of_today(self):
        partly = {name: result for name, result in results().items() if name != "model.w.stg"}
        self.assertEqual(self.because(partly)["user-profiles"], ["model stg: this run did not build it"])

    def test_a_model_whose_test_did_not_run_is_not_proven(self):
        partly = {name: result for name, result in results().items() if name != "test.w.unique_fct.1"}
        self.assertEqual(self.because(partly)["user-profiles"], ["test unique_fct: this run did not ask it"])

    def test_a_test_that_was_skipped_because_of_a_model_that_the_sync_does_not_read_is_not_proven(self):
        found = self.because(results(prices=("error", "x"), every_price=("skipped", None)))
        self.assertEqual(found, {"item-prices": ["model prices: x"], "user-profiles": ["test every_price: skipped"]})

    def test_a_unit_test_counts_as_every_other(self):
        found = self.because(results(adds_up=("fail", "actual differs from expected")))
        self.assertEqual(found, {"item-prices": [], "user-profiles": ["test adds_up: actual differs from expected"]})

    def test_a_sync_of_which_nobody_knows_what_it_reads_is_not_fresh(self):
        manifest = MANIFEST | {"parent_map": MANIFEST["parent_map"] | {"exposure.w.sync_item_prices": []}}
        because = gates(manifest, results(), {})["item-prices"]["because"]
        self.assertEqual(because, ["its exposure names nothing that it reads"])

    def test_whatever_a_sync_reads_must_have_been_built_also_of_a_kind_that_nobody_thought_of(self):
        manifest = MANIFEST | {"parent_map": MANIFEST["parent_map"] | {"model.w.prices": ["function.w.round"]}}
        because = gates(manifest, results(), {})["item-prices"]["because"]
        self.assertEqual(because, ["function round: this run did not build it"])

    def test_a_test_that_was_skipped_names_only_the_model_before_it(self):
        found = self.because(results(fct=("error", "x"), profiles=("skipped", None), unique_fct=("skipped", None)))
        self.assertEqual(found["user-profiles"], ["model fct: x", "model profiles: skipped"])


if __name__ == "__main__":
    unittest.main()
