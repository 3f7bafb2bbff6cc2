SELECT uuid, handle, display_name
FROM public.users
WHERE lower(handle) = lower(%(handle)s)
