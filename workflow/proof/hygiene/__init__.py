"""Hygiene: how tidy the merged tree of a phase is, as a score from 0 to 100 that names what it took points for."""
