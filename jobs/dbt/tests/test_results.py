import unittest

from isthmus_dbt import results


def result(name, status, billed=None):
    return {"unique_id": name, "status": status, "adapter_response": {"bytes_billed": billed} if billed else {}}


class Results(unittest.TestCase):
    def test_the_last_word_about_each_node_counts(self):
        first = [result("model.a", "success", 5), result("model.b", "error"), result("model.c", "skipped")]
        retry = [result("model.b", "success", 7), result("model.c", "success")]
        merged = results.merged([first, retry])
        self.assertEqual({name: one["status"] for name, one in merged.items()}, dict.fromkeys(merged, "success"))
        self.assertEqual(results.billed(merged), 12)
        self.assertEqual(results.failed(merged), [])

    def test_what_was_skipped_is_not_told_as_failed(self):
        merged = results.merged([[result("model.b", "error"), result("model.c", "skipped"), result("test.d", "fail")]])
        self.assertEqual(results.failed(merged), ["model.b", "test.d"])

    def test_bad_rows_are_not_asked_for_twice(self):
        found = results.merged([[result("test.d", "fail"), result("model.c", "skipped")]])
        broken = results.merged([[result("model.b", "error")]])
        self.assertFalse(results.worth_a_retry(found))
        self.assertTrue(results.worth_a_retry(broken))


if __name__ == "__main__":
    unittest.main()
