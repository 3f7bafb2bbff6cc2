-- Who signs up is written by this function and by nothing else: whoever may only call it can add a
-- user, or give a row that waits (MOCK) to the person whose address it carries, but can change no
-- account that somebody has. It runs with its owner's rights, so that its callers need none.

CREATE FUNCTION public.register_user(
    new_cognito_user_id text,
    new_handle text,
    new_display_name text,
    new_email text,
    email_is_proven boolean
) RETURNS SETOF uuid
LANGUAGE sql
SECURITY DEFINER
-- Names must not be found in a schema that a caller can write to.
SET search_path = pg_catalog, pg_temp
AS $$
    -- One row: the one they have, or the new one, or the one that waited for them.
    -- No row: the handle is somebody else's.
    WITH known AS (
        SELECT uuid
        FROM public.users
        -- The second condition lets the planner use the index, which leaves MOCK out.
        WHERE cognito_user_id = new_cognito_user_id AND cognito_user_id <> 'MOCK'
    ), written AS (
        INSERT INTO public.users AS existing (cognito_user_id, handle, display_name, email)
        SELECT new_cognito_user_id, new_handle, new_display_name, new_email
        WHERE NOT EXISTS (SELECT FROM known)
        ON CONFLICT (lower(handle)) DO UPDATE
        SET cognito_user_id = excluded.cognito_user_id
        -- The first: another call for the same person was faster.
        WHERE existing.cognito_user_id = excluded.cognito_user_id
           OR (existing.cognito_user_id = 'MOCK'
               AND email_is_proven
               AND lower(existing.email) = lower(excluded.email))
        RETURNING uuid
    )
    SELECT uuid FROM known
    UNION ALL
    SELECT uuid FROM written
$$;

-- PostgreSQL lets everybody call a new function.
REVOKE ALL ON FUNCTION public.register_user FROM PUBLIC;
