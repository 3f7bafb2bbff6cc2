"""What operators and deployments do to the directory; the API carries none of it."""
