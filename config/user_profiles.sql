SELECT
  CAST(u.id AS STRING) AS user_id,
  u.display_name,
  u.plan,
  ARRAY_AGG(STRUCT(o.item_id, o.ordered_at) ORDER BY o.ordered_at DESC LIMIT 20) AS recent_orders
FROM warehouse.users AS u
JOIN warehouse.orders AS o ON o.user_id = u.id
GROUP BY user_id, u.display_name, u.plan;
