-- Each plane with what it flew in the year.
SELECT
  tailnum,
  manufacturer,
  model,
  flights,
  miles,
  average_delay_minutes,
  last_flight
FROM mart.planes
