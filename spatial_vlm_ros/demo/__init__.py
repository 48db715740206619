"""The whole system on a simulated recording: two nodes, a player, questions and a verdict."""
