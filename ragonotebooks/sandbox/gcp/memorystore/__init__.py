"""What Memorystore for Redis is made of: checks of instances, and the servers behind them."""
