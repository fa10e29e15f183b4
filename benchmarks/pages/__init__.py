"""The pages of the manual that say in numbers what the benchmarks found."""
