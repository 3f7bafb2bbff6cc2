INSERT INTO public.activities (uuid, user_uuid, message, expires_at)
VALUES (%(uuid)s, %(user_uuid)s, %(message)s, current_timestamp + %(expires_in)s::interval)
ON CONFLICT (uuid) DO NOTHING
