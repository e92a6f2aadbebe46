-- Each plane with what it flew in the year. `+ 0.0` makes -0.0 zero: not every engine keeps the sign of a zero in a
-- table, and each plane whose sign differs from the last run's would be a PUT.
SELECT
  flights.tailnum,
  planes.manufacturer,
  planes.model,
  COUNT(*) AS flights,
  CAST(SUM(flights.distance) AS INT64) AS miles,
  ROUND(AVG(flights.dep_delay), 1) + 0.0 AS average_delay_minutes,
  MAX(flights.time_hour) AS last_flight
FROM raw_nycflights13.flights AS flights
LEFT JOIN raw_nycflights13.planes AS planes ON planes.tailnum = flights.tailnum
WHERE flights.tailnum IS NOT NULL
GROUP BY flights.tailnum, planes.manufacturer, planes.model
