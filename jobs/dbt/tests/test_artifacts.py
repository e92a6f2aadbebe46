import tempfile
import unittest
from pathlib import Path

from isthmus_dbt.artifacts import copy, fetch


class Artifacts(unittest.TestCase):
    def test_what_a_build_left_is_there_for_the_next_one_and_for_the_first_there_is_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second, kept = (Path(folder) / name for name in ("first", "second", "kept"))
            first.mkdir()
            second.mkdir()
            fetch(kept, first, "parsed")
            self.assertEqual(list(first.iterdir()), [])
            (first / "parsed").write_bytes(b"all")
            copy(first, kept, "parsed")
            fetch(kept, second, "parsed")
            self.assertEqual((second / "parsed").read_bytes(), b"all")
            self.assertEqual([path.name for path in kept.iterdir()], ["parsed"], "nothing half-written stays")
