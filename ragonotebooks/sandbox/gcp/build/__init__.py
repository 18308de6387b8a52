"""Cloud Build: builds as the API asks for them (`request`), their life (`builds`), their steps (`step`), and what starts them."""
