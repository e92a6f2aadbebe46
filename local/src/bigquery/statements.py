
# Where a folder is named, each statement is left there, with the tables that it may mean, for GoogleSQL's own analyzer.
if folder := os.environ.get("ISTHMUS_STATEMENTS"):
    from local_bigquery.jobs import query

    execute = query.execute
    NUMBERS = re.compile(r"[0-9a-f]{8,}|[0-9]+")  # generations and hashes differ from run to run

    def named_in(project, sql):
        found = {}
        for (name,) in database.fetch("SELECT schema_name FROM duckdb_schemas() WHERE database_name = ?", [project]):
            if name == "main" or name not in sql:
                continue
            try:
                there = [each.tableReference.tableId for each in tables.list_(project, name)]
                columns = {table: tables.columns(project, name, table) for table in there if table in sql}
            except Exception:  # its name is in another's, and it has just been dropped
                continue
            for table, fields in columns.items():
                found[f"{project}.{name}.{table}"] = [json.loads(field.model_dump_json()) for field in fields]
        return found

    def execute_recorded(cursor, project, job, config, *args, **kwargs):
        sql = config.query or ""
        default = config.defaultDataset and config.defaultDataset.datasetId
        path = os.path.join(folder, hashlib.sha256(NUMBERS.sub("#", sql).encode()).hexdigest()[:16] + ".json")
        known = os.path.exists(path)
        said = None if known else {"sql": sql, "default": default, "tables": named_in(project, sql)}
        result = execute(cursor, project, job, config, *args, **kwargs)
        if said:  # the emulator took it: what it refuses is no statement of ours
            parameters = config.queryParameters or []
            said["parameters"] = [json.loads(parameter.model_dump_json()) for parameter in parameters]
            with open(path, "w") as file:
                json.dump(said, file)
        return result

    query.execute = execute_recorded
