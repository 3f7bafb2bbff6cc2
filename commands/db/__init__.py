"""The directory: its database, schema, users and their sign-ins."""
