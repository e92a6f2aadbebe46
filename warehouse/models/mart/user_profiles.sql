WITH bought AS (
    SELECT
        items.customer_id,
        ARRAY_AGG(
            STRUCT(items.item_id AS item_id, items.ordered_at AS ordered_at)
            ORDER BY items.ordered_at DESC, items.order_item_id DESC
            LIMIT 20
        ) AS recent_items
    FROM {{ ref('fct_order_items') }} AS items
    GROUP BY items.customer_id
),

orders AS (
    SELECT
        customer_id,
        COUNT(*) AS orders,
        SUM(IF(is_paid, total, 0)) AS spent
    FROM {{ ref('fct_orders') }}
    WHERE status != 'cancelled'
    GROUP BY customer_id
)

SELECT
    customers.customer_id AS user_id,
    customers.name,
    customers.plan,
    bought.recent_items,
    COALESCE(orders.orders, 0) AS orders,
    COALESCE(orders.spent, 0) AS spent
FROM {{ ref('dim_customers') }} AS customers
LEFT JOIN orders ON customers.customer_id = orders.customer_id
LEFT JOIN bought ON customers.customer_id = bought.customer_id
