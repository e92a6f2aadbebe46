-- Each route with its carriers, the one with the most flights first.
SELECT
  route,
  flights,
  carriers
FROM mart.routes
