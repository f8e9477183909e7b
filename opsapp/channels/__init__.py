"""The only HTTP and SMTP to messengers: e-mail now, more to come."""
