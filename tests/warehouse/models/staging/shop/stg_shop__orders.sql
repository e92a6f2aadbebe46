SELECT
    id,
    name
FROM {{ source('shop', 'orders') }}
