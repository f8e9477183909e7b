"""Cash receipts (현금영수증): asked for, issued when paid, cancelled with refunds."""
