"""What the HTTP resources of every app share: how bodies are read, ids shown, lists paged and errors answered."""
