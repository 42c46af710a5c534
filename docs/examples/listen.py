"""Listens to the tracking points of an account with Python (pip install pika).

    AMQP_URL=amqp://acme-app:secret@localhost:5672/%2F python listen.py acme [how many]

The user of AMQP_URL needs the permissions that deploy/broker/permit-application.sh gives.
"""

import json
import os
import sys
import uuid

import pika

account = sys.argv[1]
most = int(sys.argv[2]) if len(sys.argv) > 2 else None

parameters = pika.URLParameters(os.environ["AMQP_URL"])
connection = pika.BlockingConnection(parameters)
channel = connection.channel()

queue = f"app.{parameters.credentials.username}.{uuid.uuid4()}"
channel.queue_declare(queue, exclusive=True, auto_delete=True)
channel.queue_bind(queue, "waypost.events", f"{account}.#")
print("listening", flush=True)

seen = set()
for method, _properties, body in channel.consume(queue):
    notification = json.loads(body)["notification"]
    channel.basic_ack(method.delivery_tag)
    tag = notification["meta"]["tag"]
    if tag in seen:  # delivered at least once
        continue
    seen.add(tag)
    mail, event = notification["meta"]["mail"], notification["meta"]["event"]
    print(event["ts"], mail["email"], f"{event['type']}/{event['subType']}", flush=True)
    if most is not None and len(seen) >= most:
        break

channel.cancel()
connection.close()
