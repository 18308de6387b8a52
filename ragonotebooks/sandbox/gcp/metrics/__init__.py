"""What Cloud Monitoring keeps and computes: time series, their aggregation, alerts, uptime checks, notifications."""
