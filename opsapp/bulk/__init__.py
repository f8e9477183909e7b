"""One act on many subjects: ordered once, done row by row, with a result for each."""
