"""What every benchmark needs: rows, the file of results, data, and models trained on them."""
