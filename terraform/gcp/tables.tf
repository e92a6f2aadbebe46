# tables.yaml is read here and by load-export (crates/handoff/src/table_list.rs); the defaults must be the same.
locals {
  databases = yamldecode(file("${var.config_dir}/tables.yaml")).databases

  tables = merge([
    for database, settings in local.databases : {
      for table, entry in settings.tables : "${database}.${trimprefix(table, "${database}.")}" => {
        dataset     = coalesce(try(settings.dataset, null), "raw_${database}")
        destination = coalesce(try(entry.destination, null), replace(table, ".", "_"))
        pattern     = coalesce(try(entry.pattern, null), "*.parquet")
        # RDS writes {database}/{schema}.{table}/, and for MySQL the schema is the database. It writes _ for \ ` " and space.
        folder = replace("${database}/${strcontains(table, ".") ? table : "${database}.${table}"}", "/[\\\\`\" ]/", "_")
        unknown = setunion(
          setsubtract(keys(settings), ["dataset", "exclude", "tables"]),
          try(setsubtract(keys(entry), ["destination", "pattern"]), ["nothing: a table without settings is written {}"]),
        )
      }
    }
  ]...)

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
      condition     = can(regex("^[A-Za-z0-9_]+$", each.value.dataset)) && can(regex("^[A-Za-z0-9_]+$", each.value.destination))
      error_message = "tables.yaml, ${each.key}: ${each.value.dataset}.${each.value.destination} is not a BigQuery dataset and table; both have letters, digits and underscores only. Set dataset or destination."
    }
    precondition {
      condition     = length([for name in local.destinations : name if name == "${each.value.dataset}.${each.value.destination}"]) == 1
      error_message = "tables.yaml, ${each.key}: ${each.value.dataset}.${each.value.destination} is the destination of two tables."
    }
  }
}
