"""Records of all sides of a chaos run, and reports of them; no opinion."""
