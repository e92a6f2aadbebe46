
# A write with a condition is one step: of two that have read the same ETag, or that make the same table, one is refused.
import threading

from local_bigquery.catalog import tables

one_at_a_time = threading.Lock()


def alone(step):
    def stepped(*args, **kwargs):
        with one_at_a_time:
            return step(*args, **kwargs)

    return stepped


tables.create, tables.update = alone(tables.create), alone(tables.update)
