{{ config(severity='warn') }}

SELECT order_id
FROM {{ ref('fct_orders') }}
WHERE items = 0
