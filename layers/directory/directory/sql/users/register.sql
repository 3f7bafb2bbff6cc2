-- Migration 0002 says what it returns. It is the only way in for the functions of sign-up.
SELECT uuid
FROM public.register_user(
    %(cognito_user_id)s, %(handle)s, %(display_name)s, %(email)s, %(email_is_proven)s
) AS uuid
