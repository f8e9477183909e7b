"""What leaves the console as a file: a list's filtered rows, at once or as a job."""
