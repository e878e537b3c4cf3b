"""Running programs: compiled functions, and a slow evaluator as their oracle."""
