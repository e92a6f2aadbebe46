"""The page of `isthmus lineage --format html`, in a real browser: what its readers do with a keyboard, with a screen reader,
without scripts and without a network.

    CHROMIUM=… ISTHMUS=target/debug/isthmus lineage_page.py
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

CHROMIUM = os.environ["CHROMIUM"]
SYNCS = """
syncs:
  totals: {query: "SELECT id, total FROM mart.totals", key: id, layout: packed, destination: {prefix: totals}}
  names: {query: "SELECT id, name FROM mart.names", key: id, layout: objects, destination: {prefix: names}}
"""


def model(schema, name, sql, parents):
    return {"resource_type": "model", "schema": schema, "alias": name, "compiled_code": sql, "depends_on": {"nodes": parents}}


MANIFEST = {
    "sources": {
        "source.orders": {
            "schema": "raw_shop",
            "identifier": "orders",
            "columns": {name: {"name": name} for name in ["id", "total", "name"]},
            "meta": {"isthmus_table": "shop.orders"},
        }
    },
    "nodes": {
        "model.stg": model("staging", "stg_orders", "SELECT id, total, name FROM raw_shop.orders", ["source.orders"]),
        "model.totals": model("mart", "totals", "SELECT id, total FROM staging.stg_orders", ["model.stg"]),
        "model.names": model("mart", "names", "SELECT id, name FROM staging.stg_orders", ["model.stg"]),
    },
}


class LineagePage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = Path(cls.folder.name)
        (folder / "manifest.json").write_text(json.dumps(MANIFEST))
        (folder / "syncs.yaml").write_text(SYNCS)
        asked = ["lineage", "--table", "shop.orders", "--dbt", "manifest.json", "--syncs", "syncs.yaml", "--format", "html"]
        program = Path(os.environ["ISTHMUS"]).absolute()
        page = subprocess.run([program, *asked], cwd=folder, check=True, capture_output=True).stdout
        (folder / "lineage.html").write_bytes(page)
        cls.url = (folder / "lineage.html").as_uri()
        cls.playwright = sync_playwright().start()
        # Root has no sandbox; the page is our own, and the network is off.
        cls.chromium = cls.playwright.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)

    @classmethod
    def tearDownClass(cls):
        cls.chromium.close()
        cls.playwright.stop()
        cls.folder.cleanup()

    def open(self, **options):
        context = self.chromium.new_context(offline=True, **options)
        self.addCleanup(context.close)
        self.page = context.new_page()
        self.asked, self.errors = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self.errors.append(line.text))
        self.page.goto(self.url)
        return self.page

    def named(self, name):
        return self.page.get_by_role("article", name=name, exact=True)

    def test_it_asks_nobody_for_anything_and_runs_without_a_complaint(self):
        page = self.open()
        self.assertEqual((self.asked, self.errors), ([self.url], []))
        # shop.orders, its raw table, staging, two marts, two syncs: a line for each step.
        self.assertEqual((page.locator("article").count(), page.locator("svg path").count()), (7, 6))

    def test_the_keyboard_reaches_every_table_and_what_comes_before_and_after_it_is_marked_and_said(self):
        page = self.open()
        reached = []
        for _ in range(60):
            page.keyboard.press("Tab")
            name = page.evaluate("document.activeElement.closest('article')?.querySelector('h3').textContent")
            if name is None:
                break
            reached += [name] if name not in reached else []
        self.assertEqual(sorted(reached), sorted(page.locator("h3").all_text_contents()))
        self.named("mart.totals").focus()
        marked = page.locator("article.marked h3").all_text_contents()
        self.assertEqual(set(marked), {"shop.orders", "raw_shop.orders", "staging.stg_orders", "mart.totals", "sync totals"})
        self.assertEqual(page.locator("path.marked").count(), 4)
        self.assertEqual(page.get_by_role("status").text_content(), "mart.totals: 3 before it, 1 after it.")

    def test_a_link_leads_to_the_table_and_takes_the_keyboard_along(self):
        page = self.open()
        self.named("sync names").get_by_role("link", name="mart.names").press("Enter")
        page.wait_for_function("document.activeElement.querySelector?.('h3')?.textContent === 'mart.names'")

    def test_without_scripts_the_links_still_tell_everything(self):
        page = self.open(java_script_enabled=False)
        self.named("staging.stg_orders").get_by_role("link", name="mart.totals").click()
        target = self.named("mart.totals").get_attribute("id")
        self.assertTrue(page.url.endswith(f"#{target}"), page.url)
        links = self.named("mart.totals").get_by_role("listitem").all_text_contents()
        self.assertEqual([text.strip() for text in links if " by " in text or " of " in text], ["made of staging.stg_orders", "read by sync totals"])

    def test_axe_finds_nothing_by_day_and_by_night_wide_and_narrow(self):
        for scheme, width in [("light", 1280), ("dark", 1280), ("light", 360)]:
            page = self.open(color_scheme=scheme, viewport={"width": width, "height": 800})
            self.named("mart.totals").focus()
            found = Axe().run(page)
            self.assertEqual(found.violations_count, 0, f"{scheme}, {width}: {found.generate_report()}")
            self.assertGreater(len(found.response["passes"]), 10)


if __name__ == "__main__":
    unittest.main()
