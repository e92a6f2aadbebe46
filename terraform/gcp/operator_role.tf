# What `isthmus status` and `isthmus doctor` ask on Google Cloud: reading only. See docs/spec/status.md.
variable "operators" {
  type        = set(string)
  description = "Who may ask how the day stands, as IAM members: group:data@example.com, user:ann@example.com. They only read: no raw table, no secret."
  default     = []

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|group|serviceAccount|principal|principalSet):[^*]+$", member))])
    error_message = "operators are IAM members such as group:data@example.com; neither allUsers nor a wildcard."
  }
}

locals {
  # `doctor` looks at the raw datasets' access and at when their tables were changed, and at no row.
  operator_datasets = length(var.operators) == 0 ? {} : merge(
    { for pair in setproduct(var.operators, ["isthmus_audit"]) : join(" ", pair) => { member = pair[0], dataset = pair[1], role = "roles/bigquery.dataViewer" } },
    { for pair in setproduct(var.operators, local.raw_datasets) : join(" ", pair) => { member = pair[0], dataset = pair[1], role = "roles/bigquery.metadataViewer" } },
  )
}

# In the project: a query needs a job, and transfers have no narrower resource.
resource "google_project_iam_custom_role" "operator" {
  count = length(var.operators) > 0 ? 1 : 0

  role_id     = "isthmusOperator"
  title       = "isthmus operator"
  description = "Run queries, and look at transfers"
  permissions = ["bigquery.jobs.create", "bigquery.transfers.get"]

  depends_on = [terraform_data.apis]
}

resource "google_project_iam_member" "operator" {
  for_each = var.operators

  project = var.project
  role    = google_project_iam_custom_role.operator[0].name
  member  = each.value
}

resource "google_bigquery_dataset_iam_member" "operator" {
  for_each = local.operator_datasets

  dataset_id = each.value.dataset
  role       = each.value.role
  member     = each.value.member

  depends_on = [google_bigquery_dataset.dataset]
}

# dbt's results, and the lists.
resource "google_storage_bucket_iam_member" "operator" {
  for_each = var.operators

  bucket = google_storage_bucket.config.name
  role   = "roles/storage.objectViewer"
  member = each.value
}
