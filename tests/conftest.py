"""Property tests have no deadline: the time of an example says more of the machine than of the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("leeward", deadline=None)
settings.load_profile("leeward")
