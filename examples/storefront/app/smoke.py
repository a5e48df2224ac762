"""What is tested after every promotion: the front page has the catalogue on it."""

import os
import sys
import urllib.request

with urllib.request.urlopen(f"{os.environ['WEB']}/", timeout=10) as answer:
    page = answer.read().decode()
if "lamp" not in page.lower():
    sys.exit("the front page has no lamp on it")
print("the shop is open")
