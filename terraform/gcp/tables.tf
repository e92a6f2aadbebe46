# tables.yaml is read here and by load-export (crates/handoff/src/table_list); the defaults must be the same.
locals {
  table_list = yamldecode(file("${var.config_dir}/tables.yaml"))
  databases  = local.table_list.databases

  # What stands before a dot is the schema (PostgreSQL), or the dot is a part of the name (MySQL).
  schemas = merge([
    for database, settings in local.databases : {
      for table, entry in settings.tables : "${database}/${table}" => {
        database = database
        key      = table
        dotted   = try(settings.engine, "postgres") == "mysql"
        schema   = strcontains(table, ".") && try(settings.engine, "postgres") != "mysql" ? split(".", table)[0] : database
        settings = settings
        entry    = entry
      }
    }
  ]...)

  named = { for key, table in local.schemas : key => merge(table, {
    name = table.dotted ? table.key : trimprefix(table.key, "${table.schema}.")
  }) }

  # By the name that load-export gives them: words that hold a dot stand in backticks.
  tables = { for table in local.named : join(".", [
    for word in concat([table.database], table.schema == table.database ? [] : [table.schema], [table.name]) :
    strcontains(word, ".") ? "`${word}`" : word
    ]) => {
    engine      = try(table.settings.engine, "mysql")
    dataset     = coalesce(try(table.settings.dataset, null), "raw_${table.database}")
    destination = coalesce(try(table.entry.destination, null), replace(table.key, ".", "_"))
    pattern     = coalesce(try(table.entry.pattern, null), "*.parquet")
    # RDS writes {database}/{schema}.{table}/, and for MySQL the schema is the database. It writes _ for \ ` " and space.
    folder = replace("${table.database}/${table.schema}.${table.name}", "/[\\\\`\" ]/", "_")
    unknown = setunion(
      setsubtract(keys(local.table_list), ["databases", "on_missing", "proof"]),
      setsubtract(keys(table.settings), ["dataset", "engine", "exclude", "on_missing", "proof", "tables"]),
      try(setsubtract(keys(table.entry), ["destination", "on_missing", "pattern", "proof"]), ["nothing: a table without settings is written {}"]),
    )
  } }

  destinations = [for table in local.tables : "${table.dataset}.${table.destination}"]
}

# A transfer needs its destination table. It is empty and has no columns: the first load brings them.
resource "google_bigquery_table" "raw" {
  for_each = local.tables

  dataset_id          = google_bigquery_dataset.dataset[each.value.dataset].dataset_id
  table_id            = each.value.destination
  deletion_protection = var.deletion_protection

  lifecycle {
    ignore_changes = [schema]

    precondition {
      condition     = length(each.value.unknown) == 0
      error_message = "tables.yaml, ${each.key}: unknown settings ${join(", ", each.value.unknown)}."
    }
    precondition {
      condition     = contains(["mysql", "postgres"], each.value.engine)
      error_message = "tables.yaml, ${each.key}: the engine ${each.value.engine} is neither mysql nor postgres."
    }
    precondition {
      condition     = can(regex("^[A-Za-z0-9_]+$", each.value.dataset)) && can(regex("^[A-Za-z0-9_]+$", each.value.destination))
      error_message = "tables.yaml, ${each.key}: ${each.value.dataset}.${each.value.destination} is not a BigQuery dataset and table; both have letters, digits and underscores only. Set dataset or destination."
    }
    precondition {
      condition     = length([for name in local.destinations : name if name == "${each.value.dataset}.${each.value.destination}"]) == 1
      error_message = "tables.yaml, ${each.key}: ${each.value.dataset}.${each.value.destination} is the destination of two tables."
    }
  }
}
