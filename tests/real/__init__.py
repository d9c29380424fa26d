"""The published coding agents, unmodified, in real repositories; only the model behind them is a script."""
