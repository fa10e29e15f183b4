"""What is said of recommendations: explanations, reasons, and how far they can be trusted."""
