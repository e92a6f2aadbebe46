SELECT
  user_id,
  name,
  plan,
  orders,
  spent,
  recent_items
FROM mart.user_profiles
