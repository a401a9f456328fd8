"""Download, verify and extract the official ISIC archives."""
