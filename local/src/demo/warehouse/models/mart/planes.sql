{{ config(cluster_by=['tailnum']) }}

SELECT
    flown.tailnum,
    planes.manufacturer,
    planes.model,
    COUNT(*) AS flights,
    SUM(flown.miles) AS miles,
    ROUND(AVG(flown.delay_minutes), 1) AS average_delay_minutes,
    MAX(flown.hour) AS last_flight
FROM {{ ref('fct_flights') }} AS flown
LEFT JOIN {{ ref('stg_nycflights13__planes') }} AS planes ON flown.tailnum = planes.tailnum
WHERE flown.tailnum IS NOT NULL
GROUP BY flown.tailnum, planes.manufacturer, planes.model
