import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** One pod's consumer with the Java client; arguments and output are those of consumer.py. */
public class Consumer {
  private static final AtomicLong consumed = new AtomicLong();
  private static volatile long lag;
  private static volatile int assigned;
  private static volatile boolean stopping;

  /** Says what the leader's assignor was given and what it made of it. */
  public static class Recording extends CooperativeStickyAssignor {
    @Override
    public GroupAssignment assign(Cluster metadata, GroupSubscription group) {
      Map<String, Subscription> members = group.groupSubscription();
      String given =
          members.entrySet().stream()
              .map(
                  each ->
                      String.format(
                          "{\"id\":\"%s\",\"instanceId\":%s,\"generation\":%d,\"owned\":%s}",
                          each.getKey(),
                          each.getValue().groupInstanceId().map(id -> '"' + id + '"').orElse("null"),
                          memberData(each.getValue()).generation.orElse(-1),
                          numbers(each.getValue().ownedPartitions())))
              .collect(Collectors.joining(","));
      GroupAssignment made = super.assign(metadata, group);
      String result =
          made.groupAssignment().entrySet().stream()
              .map(each -> String.format("\"%s\":%s", each.getKey(), numbers(each.getValue().partitions())))
              .collect(Collectors.joining(","));
      tell("round", String.format(",\"assignor\":\"%s\",\"members\":[%s],\"assigned\":{%s}", name(), given, result));
      return made;
    }
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, String> named = new HashMap<>();
    for (String argument : arguments) {
      int equals = argument.indexOf('=');
      named.put(argument.substring(0, equals), argument.substring(equals + 1));
    }
    Properties settings = new Properties();
    settings.put("bootstrap.servers", named.get("bootstrap"));
    settings.put("group.id", named.get("group"));
    settings.put("client.id", named.get("pod"));
    settings.put("auto.offset.reset", "earliest");
    settings.put("fetch.max.wait.ms", "200");
    settings.put("max.poll.records", "50");
    settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
    settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
    named.forEach(
        (name, value) -> {
          if (name.startsWith("client.")) settings.put(name.substring("client.".length()), value);
        });
    serve(named);
    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings);
    CountDownLatch closed = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  stopping = true;
                  consumer.wakeup();
                  try {
                    closed.await();
                  } catch (InterruptedException error) {
                    Thread.currentThread().interrupt();
                  }
                }));
    try {
      consume(consumer, named.get("topic"), Double.parseDouble(named.get("messagesPerSecond")));
    } catch (WakeupException error) {
      // That is how it is told to stop.
    } finally {
      tell("closing", "");
      consumer.close();
      tell("closed", "");
      closed.countDown();
    }
  }

  private static void consume(KafkaConsumer<byte[], byte[]> consumer, String topic, double messagesPerSecond)
      throws InterruptedException {
    consumer.subscribe(
        List.of(topic.split(",")),
        new ConsumerRebalanceListener() {
          @Override
          public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tell(
                "assigned",
                String.format(
                    ",\"partitions\":%s,\"member\":\"%s\"", numbers(partitions), consumer.groupMetadata().memberId()));
          }

          @Override
          public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            tell("revoked", ",\"partitions\":" + numbers(partitions));
          }

          @Override
          public void onPartitionsLost(Collection<TopicPartition> partitions) {
            tell("lost", ",\"partitions\":" + numbers(partitions));
          }
        });
    while (!stopping) {
      for (ConsumerRecord<byte[], byte[]> ignored : consumer.poll(Duration.ofMillis(100))) {
        Thread.sleep((long) (1_000 / messagesPerSecond));
        consumed.incrementAndGet();
      }
      assigned = consumer.assignment().size();
      lag = consumer.assignment().stream().mapToLong(each -> consumer.currentLag(each).orElse(0)).sum();
    }
  }

  private static void serve(Map<String, String> named) throws Exception {
    double cost = Double.parseDouble(named.get("cpuSecondsPerMessage"));
    String labels = String.format("namespace=\"%s\",pod=\"%s\"", named.get("namespace"), named.get("pod"));
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext(
        "/metrics",
        exchange -> {
          String text =
              String.format(
                  Locale.ROOT,
                  """
                  container_cpu_usage_seconds_total{%1$s,container="consumer"} %2$.6f
                  container_memory_working_set_bytes{%1$s,container="consumer"} 60000000
                  kafka_consumer_lag_sum{%1$s} %3$d
                  kafka_consumer_messages_consumed_total{%1$s} %4$d
                  kafka_consumer_coordinator_assigned_partitions{%1$s} %5$d
                  """,
                  labels,
                  consumed.get() * cost,
                  lag,
                  consumed.get(),
                  assigned);
          byte[] body = text.getBytes(StandardCharsets.UTF_8);
          exchange.getResponseHeaders().set("content-type", "text/plain; version=0.0.4");
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    tell("listening", ",\"port\":" + server.getAddress().getPort());
  }

  private static String numbers(Collection<TopicPartition> partitions) {
    return partitions.stream().map(each -> String.valueOf(each.partition())).toList().toString();
  }

  private static synchronized void tell(String event, String fields) {
    // Its form is how the harness finds these lines among those of the log.
    System.out.println("{\"event\": \"" + event + "\", \"at\": " + System.currentTimeMillis() + fields + "}");
  }
}
