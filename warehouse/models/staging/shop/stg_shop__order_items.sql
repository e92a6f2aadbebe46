SELECT
    CAST(id AS INT64) AS order_item_id, -- bigint unsigned comes as NUMERIC
    CAST(order_id AS INT64) AS order_id,
    CAST(item_id AS INT64) AS item_id,
    quantity,
    price
FROM {{ source('shop', 'order_items') }}
