"""Damages pools at random and opens them: nothing that a file holds may harm the program."""
