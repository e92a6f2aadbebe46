SELECT id FROM mart.users
