"""GoogleSQL itself: Google's analyzer and evaluator, compiled to WebAssembly (PyPI: zetasql), in BigQuery's dialect."""
import hashlib
from pathlib import Path

import wasmtime
from zetasql.api import Analyzer, CatalogBuilder, TableBuilder, TypeFactory
from zetasql.core import ZetaSqlLocalService
from zetasql.types import (
    AnalyzerOptions,
    ErrorMessageMode,
    LanguageFeature,
    LanguageOptions,
    ParseResumeLocation,
    ProductMode,
    SimpleCatalog,
    Type,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

# What GoogleSQL can do elsewhere (Spanner, F1, inside Google) and BigQuery's documentation does not have. All else is on:
# a feature too many lets a wrong statement pass, a feature too few refuses a right one.
NOT_IN_BIGQUERY = (
    "ALLOW_CONSECUTIVE_ON", "ALLOW_SLASH_PATHS", "BETWEEN_UINT64_INT64", "BRACED_PROTO_CONSTRUCTORS", "CBRT_FUNCTIONS",
    "DML_RETURNING", "ENUM_VALUE_DESCRIPTOR_PROTO", "EXPERIMENTAL_MODULES", "EXTRACT_FROM_PROTO", "EXTRACT_ONEOF_CASE",
    "FILTER_FIELDS", "FOR_UPDATE", "FROM_AND_TO_PROTO_INTERVAL", "INSERT_ON_CONFLICT_CLAUSE", "MULTIWAY_UNNEST",
    "PI_FUNCTIONS", "PROTO_DEFAULT_IF_NULL", "PROTO_EXTENSIONS_WITH_NEW", "PROTO_EXTENSIONS_WITH_SET", "PROTO_MAPS",
    "REPLACE_FIELDS", "REPLACE_FIELDS_ALLOW_MULTI_ONEOF", "TIMESTAMP_FROM_UNIX_FUNCTIONS_WITH_UINT64", "TIMESTAMP_NANOS",
    "TOKENIZED_SEARCH", "UUID_TYPE", "MULTILEVEL_AGGREGATION",
)  # fmt: skip

# Views of every dataset, as far as our programs read them.
# https://cloud.google.com/bigquery/docs/information-schema-tables
INFORMATION_SCHEMA = {
    "TABLES": [
        {"name": name, "type": kind}
        for name, kind in (
            ("table_catalog", "STRING"), ("table_schema", "STRING"), ("table_name", "STRING"), ("table_type", "STRING"),
            ("creation_time", "TIMESTAMP"), ("ddl", "STRING"),
        )
    ],
}  # fmt: skip

KINDS = {
    "INTEGER": "INT64", "FLOAT": "DOUBLE", "FLOAT64": "DOUBLE", "BOOLEAN": "BOOL", "RECORD": "STRUCT",
}  # fmt: skip


def keep_compiled(folder: Path) -> None:
    """wasmtime compiles the analyzer for tens of seconds; what came out is kept and read in a moment."""
    compile_from_file = wasmtime.Module.from_file

    def from_file(engine, path):
        kept = folder / f"zetasql-{hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]}.cwasm"
        try:
            return wasmtime.Module.deserialize_file(engine, str(kept))
        except (OSError, wasmtime.WasmtimeError):
            pass  # not there, or of another wasmtime
        module = compile_from_file(engine, path)
        folder.mkdir(parents=True, exist_ok=True)
        half = kept.with_suffix(".half")
        half.write_bytes(module.serialize())
        half.replace(kept)
        return module

    wasmtime.Module.from_file = staticmethod(from_file)


def language() -> LanguageOptions:
    options = LanguageOptions.maximum_features()
    options.product_mode = ProductMode.PRODUCT_EXTERNAL
    options.reserved_keywords = ["QUALIFY"]  # as BigQuery's list has it; where it is a name too, it needs a WHERE before it
    off = {LanguageFeature[f"FEATURE_{name}"] for name in NOT_IN_BIGQUERY}
    options.enabled_language_features = [each for each in options.enabled_language_features if each not in off]
    return options


def type_of(field: dict) -> Type:
    """The type of a field as BigQuery's API describes it, or as the analyzer has said."""
    if isinstance(field["type"], Type):
        return field["type"]
    kind = KINDS.get(field["type"], field["type"])
    if kind == "STRUCT":
        one = TypeFactory.create_struct_type([(each["name"], type_of(each)) for each in field["fields"]])
    elif kind == "RANGE":
        raise ValueError(f"{field['name']}: columns of type RANGE are not built here")
    else:
        one = TypeFactory.create_simple_type(TypeKind[f"TYPE_{kind}"])
    return TypeFactory.create_array_type(one) if field.get("mode") == "REPEATED" else one


def bare(kind) -> str:
    """INT64, DOUBLE, ARRAY, …, of the analyzer's types and the evaluator's."""
    return TypeKind(kind.type_kind).name.removeprefix("TYPE_")


def name_of(kind) -> str:
    """The type as SQL writes it."""
    if bare(kind) == "ARRAY":
        return f"ARRAY<{name_of(kind.array_type.element_type)}>"
    if bare(kind) == "RANGE":
        return f"RANGE<{name_of(kind.range_type.element_type)}>"
    if bare(kind) == "STRUCT":
        fields = kind.struct_type.field
        return f"STRUCT<{', '.join(f'{each.field_name} {name_of(each.field_type)}' for each in fields)}>"
    return "FLOAT64" if bare(kind) == "DOUBLE" else bare(kind)


def type_of_parameter(parameter: dict) -> Type:
    if parameter["type"] == "ARRAY":
        return TypeFactory.create_array_type(type_of_parameter(parameter["arrayType"]))
    return type_of({"name": "", "type": parameter["type"]})


def table(name: str, fields: list[dict]):
    builder = TableBuilder(name)
    for field in fields:
        builder.add_column(field["name"], type_of(field))
    return builder.build()


def catalog(tables: dict[str, list[dict]], default: str | None, options: LanguageOptions) -> SimpleCatalog:
    """Every table by each name that BigQuery knows it by: in backticks as a whole, or as a path; with its project or
    without; without its dataset where that is the default one."""
    builder = CatalogBuilder("bigquery").with_builtin_functions(ZetaSQLBuiltinFunctionOptions(language_options=options))
    whole = builder.build()
    for name, fields in tables.items():
        project, dataset, bare = name.split(".", 2)
        names = [name, f"{dataset}.{bare}"] + ([bare] if default == dataset else [])
        whole.table.extend(table(each, fields) for each in names)
        for path in ([project, dataset], [dataset]):
            below(whole, path).table.append(table(bare, fields))
    return whole


def statements_in(sql: str, options: LanguageOptions) -> list[tuple[str, list[tuple]]]:
    """Each statement of a script, and the paths of the tables that it names. What cannot be parsed is raised: the
    package's own way to find the statements ends at it in silence, and takes nothing but queries."""
    found, script = [], sql.encode()
    place = ParseResumeLocation(input=sql, byte_position=0)
    while place.byte_position < len(script):
        begin = place.byte_position
        named = ZetaSqlLocalService.get_instance().extract_table_names_from_next_statement(
            parse_resume_location=place, options=options
        )
        end = named.resume_byte_position
        # What stands before is kept as blanks, so that the places of errors are those in the whole text.
        before = "".join("\n" if letter == "\n" else " " for letter in script[:begin].decode())
        found.append((before + script[begin:end].decode(), [tuple(each.table_name_segment) for each in named.table_name]))
        place.byte_position = end
    return found


def views_of(paths: list[tuple]) -> dict[tuple, list[dict]]:
    """The INFORMATION_SCHEMA views among them."""
    names = [path for path in paths if len(path) > 2 and path[-2] == "INFORMATION_SCHEMA"]
    return {path: INFORMATION_SCHEMA[path[-1]] for path in names if path[-1] in INFORMATION_SCHEMA}


def below(parent: SimpleCatalog, path: list[str]) -> SimpleCatalog:
    for name in path:
        found = next((each for each in parent.catalog if each.name == name), None)
        if found is None:
            found = SimpleCatalog(name=name)
            parent.catalog.append(found)
        parent = found
    return parent


def analyze(sql: str, tables: dict, parameters: list[dict], default: str | None, options: LanguageOptions) -> list:
    """Raises what GoogleSQL says against the statements, with line and column. The columns that the last one gives."""
    statements = statements_in(sql, options)
    if not statements:
        raise ValueError("there is no statement in it")
    whole = catalog(tables, default, options)
    for path, fields in views_of([path for _, paths in statements for path in paths]).items():
        below(whole, list(path[:-1])).table.append(table(path[-1], fields))
    analyzer = Analyzer(
        AnalyzerOptions(
            language_options=options,
            error_message_mode=ErrorMessageMode.ERROR_MESSAGE_ONE_LINE,
            query_parameters=[
                AnalyzerOptions.QueryParameter(name=each["name"], type=type_of_parameter(each["parameterType"]))
                for each in parameters
            ],
        ),
        whole,
    )
    resolved = [analyzer.analyze_statement(statement) for statement, _ in statements]
    return [(each.name, each.column.type) for each in getattr(resolved[-1], "output_column_list", None) or []]
