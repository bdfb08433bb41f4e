"""The dashboard: pages rendered by the server, one file a page; what they say is computed elsewhere."""
