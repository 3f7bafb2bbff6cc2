-- A row that is there keeps its cognito_user_id.
INSERT INTO public.users (uuid, display_name, handle, email, cognito_user_id)
VALUES (%(uuid)s, %(display_name)s, %(handle)s, %(email)s, %(cognito_user_id)s)
ON CONFLICT (uuid) DO UPDATE SET display_name = excluded.display_name,
    handle = excluded.handle, email = excluded.email
