UPDATE public.users
SET cognito_user_id = %(cognito_user_id)s
WHERE lower(handle) = lower(%(handle)s)
RETURNING uuid, handle
