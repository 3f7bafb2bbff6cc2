-- One row: the new user's, or the one that waited for them, or the one a repeat wrote before.
-- No row: the handle is somebody else's.
INSERT INTO public.users AS existing (display_name, handle, email, cognito_user_id)
VALUES (%(display_name)s, %(handle)s, %(email)s, %(cognito_user_id)s)
ON CONFLICT (lower(handle)) DO UPDATE
SET cognito_user_id = excluded.cognito_user_id
WHERE existing.cognito_user_id = excluded.cognito_user_id
   OR (existing.cognito_user_id = 'MOCK' AND lower(existing.email) = lower(excluded.email))
RETURNING uuid
