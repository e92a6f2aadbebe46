variable "federated" {
  description = "Where the databases of config/federated.yaml are in this environment, by the id of the connection: the Cloud SQL instance (PROJECT:REGION:NAME), the database, its read-only user, and the secret that holds the password, with the number of its version."
  type = map(object({
    instance       = string
    database       = string
    username       = string
    secret         = string
    secret_version = number
  }))
  default = {}

  validation {
    condition     = alltrue([for place in var.federated : can(regex("^[a-z0-9.:-]+:[a-z0-9-]+:[a-z0-9-]+$", place.instance))])
    error_message = "federated: instance must be PROJECT:REGION:NAME."
  }

  validation {
    condition     = alltrue([for place in var.federated : place.secret_version >= 1])
    error_message = "federated: secret_version must be the number of a version."
  }
}
