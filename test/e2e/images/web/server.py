"""Writes each visit to the database that Kubernetes' environment names, and answers with what the database says."""

import os
import signal
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pymysql


def connect():
    return pymysql.connect(
        host=os.environ["MYSQL_SERVICE_HOST"],
        port=int(os.environ["MYSQL_SERVICE_PORT"]),
        user="root",
        password=os.environ["MYSQL_ROOT_PASSWORD"],
        database=os.environ.get("MYSQL_DATABASE", "test"),
        autocommit=True,
        connect_timeout=5,
        read_timeout=10,
    )


def visit():
    """One line a fact: which pod answers, the database's version, and its count of visits to all pods."""
    pod = socket.gethostname()
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS visits (id INT AUTO_INCREMENT PRIMARY KEY, pod VARCHAR(255))")
        cursor.execute("INSERT INTO visits (pod) VALUES (%s)", (pod,))
        cursor.execute("SELECT VERSION(), COUNT(*), COUNT(DISTINCT pod) FROM visits")
        version, visits, pods = cursor.fetchone()
    return "pod: %s\nmysql: %s\nvisits: %d\npods: %d\n" % (pod, version, visits, pods)


def ready():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok\n"


class Handler(BaseHTTPRequestHandler):
    routes = {"/": visit, "/ready": ready, "/healthz": lambda: "ok\n"}

    def do_GET(self):
        route = self.routes.get(self.path)
        try:
            status, text = (200, route()) if route else (404, "not found\n")
        except Exception as error:
            status, text = 503, "%s: %s\n" % (type(error).__name__, error)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


# As the first process of a container it would otherwise ignore SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
