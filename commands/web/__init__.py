"""The web client's files, and what makes them the client of one stack."""
