"""The paper's tables and figures, a file for each experiment, and the command that runs them."""
