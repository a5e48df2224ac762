"""Objects with revisions and a watch history, in memory and in SQLite."""
