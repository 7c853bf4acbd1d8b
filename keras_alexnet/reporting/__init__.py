"""The figures, the report page and the tables of runs."""
