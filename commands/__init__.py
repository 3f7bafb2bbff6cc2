"""What operators and developers do with the data: load the schema, seed, sign in."""
