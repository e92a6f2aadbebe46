WITH by_airline AS (
    SELECT
        flown.route,
        flown.destination,
        flown.airline,
        COUNT(*) AS flights,
        ROUND(AVG(flown.delay_minutes), 1) AS average_delay_minutes
    FROM {{ ref('fct_flights') }} AS flown
    GROUP BY flown.route, flown.destination, flown.airline
)

SELECT
    by_airline.route,
    by_airline.destination,
    SUM(by_airline.flights) AS flights,
    ARRAY_AGG(
        STRUCT(
            by_airline.airline AS name,
            by_airline.flights AS flights,
            by_airline.average_delay_minutes AS average_delay_minutes
        )
        ORDER BY by_airline.flights DESC, by_airline.airline ASC
    ) AS carriers
FROM by_airline
GROUP BY by_airline.route, by_airline.destination
