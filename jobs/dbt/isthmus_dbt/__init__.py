"""The job dbt: builds the warehouse between load-export and bigquery-to-s3, and says which syncs may be published."""
