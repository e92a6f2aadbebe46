SELECT
    faa,
    name
FROM {{ source('geo', 'airports') }}
