"""The user pool: who can sign in."""
