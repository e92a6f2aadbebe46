{{ config(partition_by={'field': 'flown_on', 'data_type': 'date'}, cluster_by=['tailnum']) }}

SELECT
    flights.tailnum,
    flights.carrier,
    airlines.name AS airline,
    CONCAT(flights.origin, '-', flights.dest) AS route,
    flights.delay_minutes,
    flights.miles,
    DATE(flights.hour) AS flown_on,
    flights.hour
FROM {{ ref('stg_nycflights13__flights') }} AS flights
INNER JOIN {{ ref('stg_nycflights13__airlines') }} AS airlines ON flights.carrier = airlines.carrier
