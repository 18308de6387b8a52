"""Cloud Storage: what is stored (`model`), how it comes in (`uploads`), how it is shown (`listing`, `media`), who signed a URL."""
