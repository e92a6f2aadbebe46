-- Each route with its carriers, the one with the most flights first.
SELECT
  route,
  destination,
  flights,
  carriers
FROM mart.routes
