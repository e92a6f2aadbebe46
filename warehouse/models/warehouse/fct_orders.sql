{#
    A night writes only the days on which an order is new, has changed, has moved to another day or is gone: each of them
    as a whole partition. The rest of a large table is read in three columns and not written. A day that has lost its
    last order has no new partition, so what is left of it is deleted behind.
#}
{# No row is without a day: a partition of NULL is never replaced. #}
{% set day = "COALESCE(orders.ordered_on, DATE(orders.created_at, '" ~ var("time_zone") ~ "'))" %}
{{ config(
    materialized='incremental',
    incremental_strategy='insert_overwrite',
    partition_by={'field': 'ordered_on', 'data_type': 'date'},
    cluster_by=['customer_id'],
    on_schema_change='append_new_columns',
    post_hook="DELETE FROM {{ this }} AS built WHERE NOT EXISTS (SELECT 1 FROM {{ ref('stg_shop__orders') }} AS orders "
        ~ "WHERE orders.order_id = built.order_id AND " ~ day ~ " = built.ordered_on)",
) }}

WITH orders AS (
    SELECT orders.* REPLACE ({{ day }} AS ordered_on)
    FROM {{ ref('stg_shop__orders') }} AS orders
),

{% if is_incremental() %}
    days AS (
        SELECT DISTINCT day
        FROM orders
        FULL OUTER JOIN {{ this }} AS built ON orders.order_id = built.order_id
        CROSS JOIN UNNEST([orders.ordered_on, built.ordered_on]) AS day
        WHERE orders.updated_at IS DISTINCT FROM built.updated_at
    ),
{% endif %}

items AS (
    SELECT
        order_id,
        SUM(quantity) AS items
    FROM {{ ref('stg_shop__order_items') }}
    GROUP BY order_id
)

SELECT
    orders.order_id,
    orders.customer_id,
    orders.status,
    orders.currency,
    orders.total,
    orders.is_paid,
    orders.ordered_on,
    orders.created_at AS ordered_at,
    orders.updated_at,
    COALESCE(items.items, 0) AS items
FROM orders
LEFT JOIN items ON orders.order_id = items.order_id
{% if is_incremental() %}
    WHERE orders.ordered_on IN (SELECT days.day FROM days)
{% endif %}
