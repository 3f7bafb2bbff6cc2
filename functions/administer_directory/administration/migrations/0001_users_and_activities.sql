-- The bootcamp's tables. Beside them: handles are unique however they are capitalised, a Cognito
-- user has one row, and names are short enough for a message-group row to stay below 1 KB.

CREATE TABLE IF NOT EXISTS public.users (
    uuid uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 50),
    handle text NOT NULL CHECK (handle ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,29}$'),
    email text NOT NULL CHECK (char_length(email) <= 320),
    cognito_user_id text NOT NULL DEFAULT 'MOCK',
    created_at timestamp NOT NULL DEFAULT current_timestamp
);

CREATE UNIQUE INDEX IF NOT EXISTS users_handle_key ON public.users (lower(handle));

-- MOCK stands for a user who has no sign-in yet.
CREATE UNIQUE INDEX IF NOT EXISTS users_cognito_user_id_key
    ON public.users (cognito_user_id) WHERE cognito_user_id <> 'MOCK';

CREATE TABLE IF NOT EXISTS public.activities (
    uuid uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_uuid uuid NOT NULL,
    message text NOT NULL,
    replies_count integer DEFAULT 0,
    reposts_count integer DEFAULT 0,
    likes_count integer DEFAULT 0,
    reply_to_activity_uuid uuid,
    expires_at timestamp,
    created_at timestamp NOT NULL DEFAULT current_timestamp
);
