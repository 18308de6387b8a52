"""What Cloud SQL is made of: checks of instances, certificates, and the servers behind them."""
