"""Commands of operators and developers: schema, seed, repair, users, sign-ins, web client."""
