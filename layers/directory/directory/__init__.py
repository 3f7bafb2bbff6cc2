"""Users in PostgreSQL, for the functions that need to know who someone is."""

import runtime  # noqa: F401  # first of all, so that what is imported after it takes less time
