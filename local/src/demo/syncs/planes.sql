-- Each plane with what it flew in the year. A time of PostgreSQL comes as a STRING, one of MySQL as a TIMESTAMP.
SELECT
  flights.tailnum,
  planes.manufacturer,
  planes.model,
  COUNT(*) AS flights,
  CAST(SUM(flights.distance) AS INT64) AS miles,
  ROUND(AVG(flights.dep_delay), 1) AS average_delay_minutes,
  MAX(CAST(flights.time_hour AS TIMESTAMP)) AS last_flight
FROM raw_nycflights13.flights AS flights
LEFT JOIN raw_nycflights13.planes AS planes ON planes.tailnum = flights.tailnum
WHERE flights.tailnum IS NOT NULL
GROUP BY flights.tailnum, planes.manufacturer, planes.model
