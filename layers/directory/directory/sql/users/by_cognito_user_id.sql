-- MOCK is nobody's id.
SELECT uuid, handle, display_name
FROM public.users
WHERE cognito_user_id = %(cognito_user_id)s AND cognito_user_id <> 'MOCK'
