"""What PyPy needs besides: loaded there only."""
