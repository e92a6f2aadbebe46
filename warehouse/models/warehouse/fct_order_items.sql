{{ config(
    partition_by={'field': 'ordered_on', 'data_type': 'date'},
    cluster_by=['item_id'],
) }}

SELECT
    items.order_item_id,
    items.order_id,
    items.item_id,
    orders.customer_id,
    orders.currency,
    items.quantity,
    items.price,
    orders.ordered_on,
    orders.ordered_at
FROM {{ ref('stg_shop__order_items') }} AS items
INNER JOIN {{ ref('fct_orders') }} AS orders ON items.order_id = orders.order_id
