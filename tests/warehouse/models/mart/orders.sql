SELECT
    id,
    name
FROM {{ ref('stg_shop__orders') }}
