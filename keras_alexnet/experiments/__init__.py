"""What the runs archived in this repository say together."""
