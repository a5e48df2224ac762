"""What is tested after every promotion: the front page has the catalogue on it.

Replicas of the store tell each other what they have, and the cache forgets, within seconds; so it is asked
more than once.
"""

import os
import sys
import time
import urllib.request

until = time.monotonic() + 20
while True:
    with urllib.request.urlopen(f"{os.environ['WEB']}/", timeout=10) as answer:
        page = answer.read().decode()
    if "lamp" in page.lower():
        break
    if time.monotonic() > until:
        sys.exit("the front page has no lamp on it")
    time.sleep(0.5)
print("the shop is open")
