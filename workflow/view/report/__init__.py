"""The report of a run: one page that holds all that was asked for, made, checked and decided, and loads nothing."""
