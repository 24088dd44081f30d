"""What operators do with flows that run elsewhere: start, look, answer, work, keep."""
