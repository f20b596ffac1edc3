"""
One pod's consumer with librdkafka. What it does goes to stdout, one JSON object a line; librdkafka's own log goes to stderr.

CPU is accounted, not burned: a message costs what the arguments say. Arguments are name=value:
bootstrap, group, topic (several with commas between them), namespace, pod, client.<librdkafka setting>, cpuSecondsPerMessage,
and messagesPerSecond, above which it cannot go.
"""

import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from confluent_kafka import Consumer

arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
settings = {name.removeprefix("client."): value for name, value in arguments.items() if name.startswith("client.")}
cost = float(arguments["cpuSecondsPerMessage"])
capacity = float(arguments["messagesPerSecond"])

stopping = threading.Event()
output = threading.Lock()
consumed = {}
totals = {"consumed": 0, "lag": 0, "assigned": 0}


def tell(event, **fields):
    with output:
        print(json.dumps({"event": event, "at": int(time.time() * 1000), **fields}), flush=True)


def numbers(partitions):
    return sorted(each.partition for each in partitions)


def exposition():
    labels = f'namespace="{arguments["namespace"]}",pod="{arguments["pod"]}"'
    container = f'{labels},container="consumer"'
    lines = [
        f'container_cpu_usage_seconds_total{{{container}}} {totals["consumed"] * cost:.9g}',
        f"container_memory_working_set_bytes{{{container}}} 30000000",
        f'kafka_consumer_lag_sum{{{labels}}} {totals["lag"]}',
        f'kafka_consumer_messages_consumed_total{{{labels}}} {totals["consumed"]}',
        f'kafka_consumer_coordinator_assigned_partitions{{{labels}}} {totals["assigned"]}',
    ]
    return "".join(line + "\n" for line in lines).encode()


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self):
        body = exposition()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def assigned(consumer, partitions):
    tell("assigned", partitions=numbers(partitions), member=consumer.memberid())


def revoked(_, partitions):
    tell("revoked", partitions=numbers(partitions))


def lost(_, partitions):
    tell("lost", partitions=numbers(partitions))


def count_lag(consumer):
    lag = 0
    owned = consumer.assignment()
    for position in consumer.position(owned) if owned else []:
        high = consumer.get_watermark_offsets(position, cached=True)[1]
        # Unknown before the first fetch.
        if high >= 0 and position.offset >= 0:
            lag += max(0, high - position.offset)
    totals["lag"] = lag
    totals["assigned"] = len(owned)


def consume(consumer):
    allowance = 0.0
    last = counted = time.monotonic()
    while not stopping.is_set():
        now = time.monotonic()
        # What it may process until the next look; it cannot be saved up for longer than that.
        allowance = min(allowance + (now - last) * capacity, max(1.0, capacity * 0.2))
        last = now
        if allowance < 1:
            # The callbacks of a rebalance come from here also while nothing may be consumed.
            time.sleep(min(0.1, 1 / capacity))
            continue
        messages = consumer.consume(min(500, int(allowance)), 0.05)
        for message in messages:
            if message.error() is None:
                consumed[message.partition()] = consumed.get(message.partition(), 0) + 1
                totals["consumed"] += 1
                allowance -= 1
        if now - counted >= 0.5:
            counted = now
            count_lag(consumer)


def main():
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tell("listening", port=server.server_port)
    consumer = Consumer(
        {
            "bootstrap.servers": arguments["bootstrap"],
            "group.id": arguments["group"],
            "client.id": arguments["pod"],
            "auto.offset.reset": "earliest",
            # The lag is that of the application, not of what lies fetched in its memory.
            "queued.min.messages": 100,
            "queued.max.messages.kbytes": 64,
            "fetch.wait.max.ms": 200,
            **settings,
        }
    )
    consumer.subscribe(arguments["topic"].split(","), on_assign=assigned, on_revoke=revoked, on_lost=lost)
    consume(consumer)
    tell("closing")
    consumer.close()
    tell("closed", consumed=consumed)


main()
