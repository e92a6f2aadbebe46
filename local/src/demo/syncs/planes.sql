-- Each plane with what it flew in the year. A time of PostgreSQL comes as a STRING, one of MySQL as a TIMESTAMP.
SELECT
  flown.tailnum,
  planes.manufacturer,
  planes.model,
  COUNT(*) AS flights,
  CAST(SUM(flown.distance) AS INT64) AS miles,
  ROUND(AVG(flown.dep_delay), 1) AS average_delay_minutes,
  MAX(CAST(flown.time_hour AS TIMESTAMP)) AS last_flight
FROM raw_nycflights13.flights AS flown
LEFT JOIN raw_nycflights13.planes AS planes ON planes.tailnum = flown.tailnum
WHERE flown.tailnum IS NOT NULL
GROUP BY flown.tailnum, planes.manufacturer, planes.model
