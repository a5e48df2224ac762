"""What leeward asks AWS itself: clusters, tokens, versions, secrets, certificates, logs. Needs boto3."""
