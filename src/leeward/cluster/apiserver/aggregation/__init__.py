"""APIs that other servers serve: APIServices, what they say of themselves, requests that go there."""
