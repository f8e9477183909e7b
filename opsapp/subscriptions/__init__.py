"""What recurs: billing periods, renewal, recovery, pause, cancellation."""
