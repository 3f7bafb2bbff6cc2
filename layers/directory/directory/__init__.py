"""Users in PostgreSQL, for the functions that need to know who someone is."""
