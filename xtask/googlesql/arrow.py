"""Values of GoogleSQL as the Storage Read API sends them, written by Arrow's own library.
https://cloud.google.com/bigquery/docs/reference/storage#arrow_schema_details
"""
import struct
from datetime import date

import pyarrow as pa
from googlesql import bare

ARROW = {
    "INT64": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOL": pa.bool_(),
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "INTERVAL": pa.month_day_nano_interval(),
    "JSON": pa.string(),
}
# The field of an ARRAY has that of its elements.
EXTENSIONS = {"DATETIME": "google:sqlType:datetime", "JSON": "google:sqlType:json"}


def messages(kind, values: list) -> tuple[bytes, bytes]:
    """The message of the schema and that of one batch, compressed as the job asks for: a column `v`, and the two that
    the job's own statement adds."""
    own = [field("v", kind), pa.field("isthmus_key", pa.string()), pa.field("isthmus_shard", pa.int64())]
    keys, shards = [str(n) for n in range(len(values))], [0] * len(values)
    columns = [array(kind, values), pa.array(keys, pa.string()), pa.array(shards, pa.int64())]
    batch = pa.record_batch(columns, schema=pa.schema(own))
    stream, schema = pa.BufferOutputStream(), batch.schema.serialize().to_pybytes()
    writer = pa.ipc.new_stream(stream, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
    writer.write_batch(batch)
    return schema, stream.getvalue().to_pybytes().removeprefix(schema)


def field(name: str, kind) -> pa.Field:
    extension = EXTENSIONS.get(bare(kind.array_type.element_type if bare(kind) == "ARRAY" else kind))
    return pa.field(name, arrow_type(kind), metadata=extension and {"ARROW:extension:name": extension})


def members(kind) -> list[pa.Field]:
    if bare(kind) == "RANGE":
        return [field(end, kind.range_type.element_type) for end in ("start", "end")]
    return [field(each.field_name, each.field_type) for each in kind.struct_type.field]


def arrow_type(kind) -> pa.DataType:
    if bare(kind) == "ARRAY":
        return pa.list_(pa.field("item", arrow_type(kind.array_type.element_type)))
    return pa.struct(members(kind)) if bare(kind) in ("STRUCT", "RANGE") else ARROW[bare(kind)]


def array(kind, values: list) -> pa.Array:
    """`None`, and a message without a value, is NULL."""
    values = [value if value is not None and value.WhichOneof("value") else None for value in values]
    of = bare(kind)
    if of == "ARRAY":
        lists = [value.array_value.element if value else [] for value in values]
        offsets = [sum(map(len, lists[:n])) for n in range(len(lists) + 1)]
        items = array(kind.array_type.element_type, [item for each in lists for item in each])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=arrow_type(kind))
    if of == "RANGE":
        ends = [(value.range_value.start, value.range_value.end) if value else (None, None) for value in values]
        return structs(kind, values, [kind.range_type.element_type] * 2, zip(*ends))
    if of == "STRUCT":
        kinds = [each.field_type for each in kind.struct_type.field]
        rows = [value.struct_value.field if value else [None] * len(kinds) for value in values]
        return structs(kind, values, kinds, zip(*rows))
    if of in ("NUMERIC", "BIGNUMERIC"):
        return decimals(ARROW[of], [value and getattr(value, f"{of.lower()}_value") for value in values])
    return pa.array([value and scalar(of, value) for value in values], ARROW[of])


def structs(kind, values: list, kinds: list, columns) -> pa.Array:
    columns = list(columns) or [()] * len(kinds)  # no row has no columns
    arrays = [array(of, list(column)) for of, column in zip(kinds, columns, strict=True)]
    nulls = pa.array([value is None for value in values])
    return pa.StructArray.from_arrays(arrays, fields=members(kind), mask=nulls)


def decimals(kind: pa.DataType, values: list[bytes | None]) -> pa.Array:
    """From the bits: 77 digits are more than Arrow's own reading of decimals takes, and BigQuery sends them."""
    numbers = [int.from_bytes(value or b"", "little", signed=True) for value in values]
    bits = [number.to_bytes(kind.bit_width // 8, "little", signed=True) for number in numbers]
    known = pa.array([value is not None for value in values]).buffers()[1]
    return pa.Array.from_buffers(kind, len(values), [known, pa.py_buffer(b"".join(bits))])


def scalar(of: str, value):
    match of:
        case "DATE":
            return value.date_value
        case "TIME":
            return clock_micros(value.time_value >> 30, value.time_value & (1 << 30) - 1)
        case "DATETIME":
            bits = value.datetime_value.bit_field_datetime_seconds
            day = date(bits >> 26, bits >> 22 & 15, bits >> 17 & 31).toordinal() - date(1970, 1, 1).toordinal()
            return day * 86_400_000_000 + clock_micros(bits & (1 << 17) - 1, value.datetime_value.nanos)
        case "TIMESTAMP":
            return value.timestamp_value.seconds * 1_000_000 + value.timestamp_value.nanos // 1000
        case "INTERVAL":
            # Nanoseconds beyond the micros and the months share a word, the months' sign its highest bit.
            micros, days, word = struct.unpack("<qiI", value.interval_value)
            months = (word >> 13 & (1 << 18) - 1) * (-1 if word >> 31 else 1)
            return pa.MonthDayNano([months, days, micros * 1000 + (word & (1 << 10) - 1)])
    return getattr(value, f"{of.lower()}_value")


def clock_micros(bits: int, nanos: int) -> int:
    """Hours, minutes and seconds in 5, 6 and 6 bits."""
    return ((bits >> 12) * 3600 + (bits >> 6 & 63) * 60 + (bits & 63)) * 1_000_000 + nanos // 1000

