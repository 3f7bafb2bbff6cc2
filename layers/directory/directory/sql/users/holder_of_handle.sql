-- The user who has the handle, unless the row waits for the person with this e-mail address.
SELECT uuid
FROM public.users
WHERE lower(handle) = lower(%(handle)s)
  AND NOT (cognito_user_id = 'MOCK' AND lower(email) = lower(%(email)s))
