UPDATE public.users
SET cognito_user_id = 'MOCK'
WHERE cognito_user_id = ANY(%(cognito_user_ids)s)
