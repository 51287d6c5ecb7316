"""What synthetic people wear: clothes, faces, colours, painted on the body."""
