"""The numbers of the paper, the authors' logs, and the scorecard."""
