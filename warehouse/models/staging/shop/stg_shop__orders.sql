SELECT
    CAST(id AS INT64) AS order_id, -- bigint unsigned comes as NUMERIC
    CAST(customer_id AS INT64) AS customer_id,
    status,
    SAFE_CONVERT_BYTES_TO_STRING(currency) AS currency, -- char(3) comes as bytes
    total,
    paid = 1 AS is_paid, -- tinyint(1) comes as INT64
    SAFE.PARSE_JSON(attributes) AS attributes, -- json comes as text
    SAFE_CAST(ordered_on AS DATE) AS ordered_on, -- date comes as text; MySQL's 0000-00-00 is no date
    {{ wall_clock('created_at') }} AS created_at,
    {{ wall_clock('updated_at') }} AS updated_at
FROM {{ source('shop', 'orders') }}
