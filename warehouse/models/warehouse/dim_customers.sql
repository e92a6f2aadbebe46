{{ config(cluster_by=['customer_id']) }}

SELECT
    customer_id,
    name,
    plan,
    created_at
FROM {{ ref('stg_shop__customers') }}
