SELECT
    CAST(id AS INT64) AS customer_id, -- bigint unsigned comes as NUMERIC
    name,
    plan,
    {{ wall_clock('created_at') }} AS created_at,
    {{ wall_clock('updated_at') }} AS updated_at
FROM {{ source('shop', 'customers') }}
