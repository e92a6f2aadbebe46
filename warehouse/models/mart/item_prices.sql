{{ config(cluster_by=['item_id']) }}

-- The price of the last order is today's.
WITH sold AS (
    SELECT
        item_id,
        currency,
        price
    FROM {{ ref('fct_order_items') }}
    QUALIFY ROW_NUMBER() OVER (PARTITION BY item_id ORDER BY ordered_at DESC, order_item_id DESC) = 1
)

SELECT
    sold.item_id,
    sold.currency,
    sold.price,
    tax_rates.tax_rate
FROM sold
LEFT JOIN {{ ref('tax_rates') }} AS tax_rates ON sold.currency = tax_rates.currency
