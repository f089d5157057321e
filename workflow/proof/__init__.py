"""What is proved: validation, checks, manifest, bundles."""
