
# EXTERNAL_QUERY runs in a real database. The file connections.json beside the data says which, and is read each time:
# {"project.location.id": "postgresql://user:password@host:port/database"}, or mysql://. local-bigquery itself knows one
# connection, in PostgreSQL.
import inspect
from urllib.parse import urlsplit

from local_bigquery.errors import BigQueryError
from local_bigquery.settings import settings
from local_bigquery.sql.rules import external
from sqlglot import exp


def connection(given, project):
    """`project.location.id`, `location.id` or `id`; the last two are in the query's project."""
    path = settings.data_dir / "connections.json"
    connections = json.loads(path.read_text()) if path.exists() else {}
    for name, url in connections.items():
        own_project, _, rest = name.partition(".")
        if given == name or (own_project == project and given in (rest, rest.partition(".")[2])):
            return urlsplit(url)
    raise BigQueryError("notFound", f"Not found: Connection {given}")


def attach(context, kind, parts):
    """As local-bigquery attaches its own, and detaches at the end; but of either kind."""
    inside = inspect.getclosurevars(context.attach_postgres).nonlocals
    alias = f"external_{len(inside['attachments'])}_{id(inside['attachments'])}"
    dsn = " ".join(f"{key}={value}" for key, value in parts.items() if value)
    inside["cur"].execute(f"LOAD {kind}; ATTACH '{dsn}' AS {alias} (TYPE {kind}, READ_ONLY)")
    inside["attachments"].append(alias)
    return alias, inside["cur"]


# What BigQuery does not take from PostgreSQL, as it lists it, and arrays, which its mapping does not name: the whole query is
# refused, by the type's number and without the column.
UNKNOWN = set(
    "money,time with time zone,interval,inet,cidr,macaddr,macaddr8,uuid,jsonb,tsquery,tsvector,txid_snapshot,pg_lsn,"
    "box,circle,line,lseg,path,point,polygon".split(",")
)


def refused(message):
    return BigQueryError("invalidQuery", f"Invalid table-valued function external_query {message}")


def check_types(cursor, alias, sql, columns):
    """PostgreSQL's own word for the type of each column, also of a query without rows."""
    names = ['"' + name.replace('"', '""') + '"' for name in columns]
    types = ", ".join(f"pg_typeof(t.{name})::text || ' ' || pg_typeof(t.{name})::oid" for name in names)
    asked = f"SELECT concat_ws(chr(10), {types}) FROM (SELECT 1) AS one LEFT JOIN ({sql}) AS t ON FALSE"
    for said in cursor.execute("SELECT * FROM postgres_query(?, ?)", [alias, asked]).fetchone()[0].split("\n"):
        type_, _, oid = said.rpartition(" ")
        if type_ in UNKNOWN or type_.endswith("[]"):
            raise refused(f"Postgres type (OID = {oid}) isn't supported now")


def external_query(node, context):
    call = isinstance(node, exp.Table) and node.this
    if not (isinstance(call, exp.Anonymous) and call.name.upper() == "EXTERNAL_QUERY"):
        return node
    given, sql, *_ = (external._literal(argument, context) for argument in call.expressions)
    url = connection(given, context.project_id)
    kind = "mysql" if url.scheme == "mysql" else "postgres"
    name = "database" if kind == "mysql" else "dbname"
    parts = {"host": url.hostname, "port": url.port, "user": url.username, "password": url.password, name: url.path[1:]}
    try:
        alias, cursor = attach(context, kind, parts)
        described = cursor.execute(f"DESCRIBE SELECT * FROM {kind}_query(?, ?)", [alias, sql]).fetchall()
        if kind == "postgres":
            check_types(cursor, alias, sql, [column for column, *_ in described])
    except duckdb.Error as error:
        raise refused(str(error)) from error
    arguments = [exp.Literal.string(alias), exp.Literal.string(sql)]
    return exp.Table(this=exp.Anonymous(this=f"{kind}_query", expressions=arguments), alias=node.args.get("alias"))


external.external_query = external_query
