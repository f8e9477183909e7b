"""The only HTTP and SMTP to messengers: e-mail, telephones, browsers and apps."""
