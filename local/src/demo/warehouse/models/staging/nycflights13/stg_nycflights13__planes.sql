SELECT
    tailnum,
    manufacturer,
    model
FROM {{ source('nycflights13', 'planes') }}
