"""The scalars in an event file that is still being written, as TensorBoard reads them: python live_events.py FILE.

Prints [[step, value], ...] by tag."""

import collections
import json
import sys

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

points = collections.defaultdict(list)
for event in LegacyEventFileLoader(sys.argv[1]).Load():
    for value in event.summary.value:
        points[value.tag].append([event.step, value.simple_value])
print(json.dumps(points))
