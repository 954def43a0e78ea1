"""Reports: one result document, rendered as Markdown, HTML, JUnit XML and terminal text. Decides nothing."""
