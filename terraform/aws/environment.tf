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
