# A state belongs to one environment: with prod.tfvars, a plan of stg's state is refused, before anything changes.
resource "terraform_data" "environment" {
  input = var.env

  lifecycle {
    # What the first apply wrote stays.
    ignore_changes = [input]

    postcondition {
      condition     = self.output == var.env
      error_message = "This state belongs to the environment ${coalesce(self.output, "(none)")}, and the variables are those of ${var.env}: run terraform init -reconfigure with backend/${var.env}.hcl, or give the other environment's .tfvars."
    }
  }
}

# Before it destroys, Terraform looks at no condition of a resource, but at those of variables. (Not with -refresh=false:
# then it looks at none.)
variable "destroy_other_environment" {
  type        = bool
  description = "True: `terraform destroy` also takes a state that belongs to another environment than env."
  default     = false
  nullable    = false

  validation {
    condition     = var.destroy_other_environment || terraform_data.environment.output == var.env
    error_message = "This state belongs to the environment ${coalesce(terraform_data.environment.output, "(none)")}, and the variables are those of ${var.env}."
  }
}
