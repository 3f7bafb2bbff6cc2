"""Two hundred people at once on the local cloud, and whether everything is right afterwards."""
