package hookbridge

// Harmless is under test for all that senders may say their bodies are.
var Harmless = harmless
