-- An order that only one of the two has. Where it fails: dbt build --full-refresh --select fct_orders+
SELECT
    COALESCE(orders.order_id, facts.order_id) AS order_id,
    orders.order_id IS NULL AS is_gone_from_the_source
FROM {{ ref('stg_shop__orders') }} AS orders
FULL OUTER JOIN {{ ref('fct_orders') }} AS facts ON orders.order_id = facts.order_id
WHERE orders.order_id IS NULL OR facts.order_id IS NULL
