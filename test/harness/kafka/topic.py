"""Makes a topic. Arguments: the bootstrap servers, its name, its number of partitions."""

import sys

from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, name, partitions = sys.argv[1:4]
# The variable keeps the client alive until it has its answer.
admin = AdminClient({"bootstrap.servers": bootstrap})
for made in admin.create_topics([NewTopic(name, int(partitions), 1)]).values():
    made.result(30)
