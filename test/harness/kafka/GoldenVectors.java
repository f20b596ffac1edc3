import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractStickyAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Writes what the Java client's own assignors answer for random groups, one group a line; test/kafka/java-golden.ts says how a line
 * reads. Each line depends on its number only: `java GoldenVectors.java ASSIGNOR FROM COUNT`.
 */
public final class GoldenVectors {
  private static final List<String> NAMES =
      List.of("orders", "payments", "clicks", "audit-log", "users.v2", "x", "stock", "mail_out");
  /** So many have a letter of their own in what is written. */
  private static final int MOST_MEMBERS = 50;
  private static final Node BROKER = new Node(1, "localhost", 9092);

  /** Held here, because the log manager alone would let it go. */
  private static final Logger LOG = Logger.getLogger(AbstractStickyAssignor.class.getName());

  /**
   * Ends what would never end: for some members with unequal subscriptions the assignor moves the same partitions in a circle.
   * It tells its log of each look that finds something to move, and that is where it can be stopped at the same look each time.
   */
  private static final class Patience extends Handler {
    private static final int MOST_LOOKS = 10_000;
    private int looks = 0;

    void renew() {
      looks = 0;
    }

    @Override
    public void publish(LogRecord entry) {
      if (entry.getLevel() == Level.FINE && ++looks > MOST_LOOKS) throw new IllegalStateException("the assignor does not end");
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }

  private static final Patience PATIENCE = new Patience();

  private static final class Member {
    final String id;
    String instanceId;
    Set<String> topics;
    List<TopicPartition> owned = new ArrayList<>();
    int generation = -1;

    Member(String id) {
      this.id = id;
    }
  }

  private final String assignor;
  private final SplittableRandom random;
  private final boolean keepsState;
  private final boolean mixed;
  private final Map<String, Integer> topics = new LinkedHashMap<>();
  private final List<Member> members = new ArrayList<>();
  /** Members that miss a round, and may come back with what they owned before it. */
  private final List<Member> away = new ArrayList<>();

  private GoldenVectors(String assignor, long number) {
    this.assignor = assignor;
    random = new SplittableRandom(number);
    keepsState = assignor.endsWith("sticky");
    mixed = chance(0.6);
    int names = 1 + random.nextInt(6);
    int size = chance(0.5) ? 8 : chance(0.7) ? 24 : 64;
    for (int at = 0; at < names; at++) topics.put(NAMES.get(at), 1 + random.nextInt(size));
    int most = chance(0.6) ? 6 : chance(0.95) ? 20 : MOST_MEMBERS;
    for (int joining = 1 + random.nextInt(most); joining > 0; joining--) join();
  }

  public static void main(String[] args) {
    LOG.setUseParentHandlers(false);
    LOG.setLevel(Level.FINE);
    LOG.addHandler(PATIENCE);
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    long from = Long.parseLong(args[1]);
    for (long number = from; number < from + Long.parseLong(args[2]); number++) {
      out.print(new GoldenVectors(args[0], number).line() + "\n");
    }
    out.flush();
  }

  /** Some rounds with changes between them; the last one is told. */
  private String line() {
    int rounds = keepsState ? 1 + random.nextInt(5) : 1;
    for (int generation = 1; ; generation++) {
      String before = describe();
      Map<String, List<TopicPartition>> after;
      try {
        after = assign();
      } catch (RuntimeException failure) {
        return before + ";!";
      }
      if (generation == rounds) return before + ";" + describe(after);
      for (Member member : members) {
        member.owned = new ArrayList<>(after.get(member.id));
        member.generation = generation;
      }
      for (int changes = random.nextInt(3); changes > 0; changes--) change();
    }
  }

  private void change() {
    switch (random.nextInt(14)) {
      case 0, 1 -> leave(1 + random.nextInt(3));
      case 2, 3 -> {
        for (int joining = 1 + random.nextInt(3); joining > 0 && members.size() < MOST_MEMBERS; joining--) join();
      }
      case 4 -> {
        int replaced = 1 + random.nextInt(3);
        leave(replaced);
        for (; replaced > 0; replaced--) join();
      }
      case 5, 6 -> {
        if (members.size() > 1) away.add(members.remove(random.nextInt(members.size())));
      }
      case 7, 8 -> {
        if (members.size() + away.size() <= MOST_MEMBERS) members.addAll(away);
        away.clear();
      }
      case 9 -> topics.computeIfPresent(anyTopic(), (topic, count) -> count + 1 + random.nextInt(8));
      case 10, 11 -> changeSubscriptions();
      default -> rarely();
    }
  }

  private void rarely() {
    if (chance(0.3)) {
      topics.put(anyTopic(), 0);
    } else if (chance(0.5)) {
      topics.computeIfPresent(anyTopic(), (topic, count) -> random.nextInt(count + 1));
    } else if (members.size() > 1) {
      // Two of one generation that both say that they own it.
      Member one = members.get(random.nextInt(members.size()));
      Member other = members.get(random.nextInt(members.size()));
      boolean claims = one != other && !one.owned.isEmpty() && other.generation >= 0;
      if (claims) other.owned.add(one.owned.get(random.nextInt(one.owned.size())));
    }
  }

  private void changeSubscriptions() {
    Member changing = members.get(random.nextInt(members.size()));
    Set<String> wanted = subscription(true);
    for (Member member : members) if (!mixed || member == changing) member.topics = wanted;
    for (Member member : away) if (!mixed) member.topics = wanted;
  }

  private void join() {
    Member member = new Member(String.format("m-%04x", random.nextInt(0x10000)));
    boolean taken = members.stream().anyMatch(other -> other.id.equals(member.id));
    if (taken || away.stream().anyMatch(other -> other.id.equals(member.id))) return;
    if (!keepsState && chance(0.2)) member.instanceId = "i" + (members.size() * 7 % MOST_MEMBERS);
    boolean alike = !mixed && !members.isEmpty();
    member.topics = alike ? members.get(0).topics : subscription(mixed);
    members.add(member);
  }

  private Set<String> subscription(boolean partial) {
    Set<String> wanted = new HashSet<>();
    for (String topic : topics.keySet()) if (!partial || chance(0.6)) wanted.add(topic);
    if (wanted.isEmpty() && chance(0.9)) wanted.add(anyTopic());
    return wanted;
  }

  private void leave(int leaving) {
    for (; leaving > 0 && members.size() > 1; leaving--) members.remove(random.nextInt(members.size()));
  }

  private String anyTopic() {
    return List.copyOf(topics.keySet()).get(random.nextInt(topics.size()));
  }

  private boolean chance(double share) {
    return random.nextDouble() < share;
  }

  private Map<String, List<TopicPartition>> assign() {
    PATIENCE.renew();
    List<PartitionInfo> infos = new ArrayList<>();
    Node[] replicas = {BROKER};
    topics.forEach((topic, count) -> {
      for (int at = 0; at < count; at++) infos.add(new PartitionInfo(topic, at, BROKER, replicas, replicas));
    });
    Cluster cluster = new Cluster("cluster", List.of(BROKER), infos, Set.of(), Set.of());
    // As the leader of a group does it: ConsumerCoordinator.onLeaderElected.
    Map<String, Subscription> subscriptions = new HashMap<>();
    for (Member member : members) subscriptions.put(member.id, subscriptionOf(member));
    Map<String, Assignment> answer =
        create().assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
    Map<String, List<TopicPartition>> assigned = new HashMap<>();
    answer.forEach((member, assignment) -> assigned.put(member, assignment.partitions()));
    return assigned;
  }

  /** What the leader reads from the member's JoinGroup request. */
  @SuppressWarnings("removal") // There is no other way to tell an assignor its generation.
  private Subscription subscriptionOf(Member member) {
    ConsumerPartitionAssignor own = create();
    if (member.generation >= 0) {
      ConsumerGroupMetadata metadata =
          new ConsumerGroupMetadata("group", member.generation, member.id, Optional.ofNullable(member.instanceId));
      own.onAssignment(new Assignment(member.owned), metadata);
    }
    boolean eager = !assignor.equals("cooperative-sticky");
    Subscription sent =
        new Subscription(
            List.copyOf(member.topics),
            own.subscriptionUserData(member.topics),
            eager ? List.of() : member.owned,
            member.generation,
            Optional.empty());
    Subscription read = ConsumerProtocol.deserializeSubscription(ConsumerProtocol.serializeSubscription(sent));
    read.setGroupInstanceId(Optional.ofNullable(member.instanceId));
    return read;
  }

  private ConsumerPartitionAssignor create() {
    return switch (assignor) {
      case "range" -> new RangeAssignor();
      case "round-robin" -> new RoundRobinAssignor();
      case "sticky" -> new StickyAssignor();
      case "cooperative-sticky" -> new CooperativeStickyAssignor();
      default -> throw new IllegalArgumentException(assignor);
    };
  }

  private String describe() {
    List<String> sizes = new ArrayList<>();
    topics.forEach((topic, count) -> sizes.add(topic + "=" + count));
    List<String> joined = new ArrayList<>();
    List<String> names = List.copyOf(topics.keySet());
    for (Member member : members) {
      StringBuilder wanted = new StringBuilder();
      for (String topic : names) if (member.topics.contains(topic)) wanted.append(names.indexOf(topic));
      String instance = member.instanceId == null ? "" : "/" + member.instanceId;
      joined.add(member.id + "/" + member.generation + "/" + wanted + instance);
    }
    Map<String, List<TopicPartition>> owned = new HashMap<>();
    for (Member member : members) owned.put(member.id, member.owned);
    return String.join(",", sizes) + ";" + String.join(",", joined) + ";" + describe(owned);
  }

  private String describe(Map<String, List<TopicPartition>> ownership) {
    List<String> described = new ArrayList<>();
    for (String topic : topics.keySet()) described.add(describe(topic, ownership));
    return String.join(",", described);
  }

  /** A letter for each partition's owner; who owns one that has an owner already stands in another row. */
  private String describe(String topic, Map<String, List<TopicPartition>> ownership) {
    List<StringBuilder> rows = new ArrayList<>(List.of(new StringBuilder()));
    for (int at = 0; at < members.size(); at++) {
      for (TopicPartition partition : ownership.get(members.get(at).id)) {
        if (partition.topic().equals(topic)) note(rows, partition.partition(), (char) ('A' + at));
      }
    }
    return String.join("/", rows);
  }

  private static void note(List<StringBuilder> rows, int partition, char letter) {
    for (StringBuilder row : rows) {
      while (row.length() <= partition) row.append('.');
      if (row.charAt(partition) != '.') continue;
      row.setCharAt(partition, letter);
      return;
    }
    rows.add(new StringBuilder());
    note(rows, partition, letter);
  }
}
