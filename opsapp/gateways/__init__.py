"""The only HTTP to payment gateways: plain values in and out, one adapter per company."""
