"""
Writes to each partition at a rate of its own until it is told to end.

Arguments: the bootstrap servers, the topic, the rates in messages per second with commas between them.
"""

import json
import signal
import sys
import threading
import time

from confluent_kafka import Producer

bootstrap, topic, text = sys.argv[1:4]
rates = [float(rate) for rate in text.split(",")]
stopping = threading.Event()
PAYLOAD = b"x" * 64
STEP_SECONDS = 0.05


def main():
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50, "acks": 1})
    due = [0.0] * len(rates)
    sent = [0] * len(rates)
    last = time.monotonic()
    while not stopping.wait(STEP_SECONDS):
        now = time.monotonic()
        for partition, rate in enumerate(rates):
            due[partition] += rate * (now - last)
            while due[partition] >= 1:
                due[partition] -= 1
                producer.produce(topic, PAYLOAD, partition=partition)
                sent[partition] += 1
        last = now
        producer.poll(0)
    producer.flush(5)
    print(json.dumps({"event": "closed", "sent": sent}), flush=True)


main()
