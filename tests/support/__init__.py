"""Real interpreters, environments, providers and feeds for the tests and the demonstration; nothing here is a mock."""
