"""Counts its visits in the Redis that shares its network name space: the page says "visits: N"."""

import os
import signal
import sys

from flask import Flask
from redis import Redis

app = Flask(__name__)
redis = Redis(host=os.environ.get("REDIS_HOST", "127.0.0.1"), port=6379, socket_timeout=5)


@app.route("/")
def visits():
    return "visits: %d\n" % redis.incr("visits")


@app.route("/healthz")
def healthz():
    redis.ping()
    return "ok\n"


# As the first process of a container it would otherwise ignore SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
app.run(host="0.0.0.0", port=int(os.environ.get("PORT", "80")))
