SELECT
    id,
    name
FROM {{ source('shop', 'items') }}
