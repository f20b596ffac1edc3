"""Makes a topic, or with 0 partitions deletes it. Arguments: the bootstrap servers, its name, its number of partitions."""

import sys

from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, name, partitions = sys.argv[1:4]
# The variable keeps the client alive until it has its answer.
admin = AdminClient({"bootstrap.servers": bootstrap})
number = int(partitions)
made = admin.create_topics([NewTopic(name, number, 1)]) if number > 0 else admin.delete_topics([name])
for done in made.values():
    done.result(30)
