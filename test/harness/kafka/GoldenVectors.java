import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
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
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.internals.LogContext;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataDelta;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMemberKey;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMemberValue;
import org.apache.kafka.coordinator.group.modern.ModernGroupMember;
import org.apache.kafka.coordinator.group.modern.TargetAssignmentBuilder.ConsumerTargetAssignmentBuilder;
import org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroup;
import org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroupMember;
import org.apache.kafka.coordinator.group.util.UpdatedMembersAndTargetAssignmentView;
import org.apache.kafka.timeline.SnapshotRegistry;

/**
 * Writes what Kafka's own assignors answer for random groups, those of the Java client and those of the coordinator (KIP-848), one
 * group a line; test/kafka/golden/README.md says how a line reads. Each line depends on its number only:
 * `java GoldenVectors.java ASSIGNOR FROM COUNT`.
 *
 * Without numbers it reads groups, and writes each with the answer; for the assignors of the client.
 */
public final class GoldenVectors {
  private static final List<String> NAMES =
      List.of("orders", "payments", "clicks", "audit-log", "users.v2", "x", "stock", "mail_out");
  /** So many have a letter of their own in what is written. */
  private static final int MOST_MEMBERS = 50;
  /** Few, so that they compress well. */
  private static final List<Uuid> TOPIC_IDS =
      new SplittableRandom(848).longs(64).mapToObj(bits -> new Uuid(bits, Long.rotateLeft(bits * bits, 31))).toList();
  /** What befalls a group of the coordinator, as {@link #change} numbers it: nobody comes back as who it was. */
  private static final List<Integer> COORDINATED = List.of(0, 0, 2, 2, 4, 4, 4, 9, 9, 10, 10, 12);
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

  private record Topic(String name, Uuid id, int partitionCount) implements CoordinatorMetadataImage.TopicMetadata {
    @Override
    public List<String> partitionRacks(int partition) {
      return List.of();
    }
  }

  /** The topics that exist, as the coordinator sees them. */
  private record Image(List<Topic> topics) implements CoordinatorMetadataImage {
    @Override
    public Set<Uuid> topicIds() {
      return topics.stream().map(Topic::id).collect(Collectors.toSet());
    }

    @Override
    public Set<String> topicNames() {
      return topics.stream().map(Topic::name).collect(Collectors.toSet());
    }

    @Override
    public Optional<CoordinatorMetadataImage.TopicMetadata> topicMetadata(String name) {
      return topics.stream().filter(topic -> topic.name.equals(name)).<TopicMetadata>map(topic -> topic).findAny();
    }

    @Override
    public Optional<CoordinatorMetadataImage.TopicMetadata> topicMetadata(Uuid id) {
      return topics.stream().filter(topic -> topic.id.equals(id)).<TopicMetadata>map(topic -> topic).findAny();
    }

    @Override
    public CoordinatorMetadataDelta emptyDelta() {
      return CoordinatorMetadataDelta.EMPTY;
    }

    @Override
    public long version() {
      return 1;
    }

    @Override
    public boolean isEmpty() {
      return topics.isEmpty();
    }
  }

  /**
   * A group as the coordinator keeps it, in its own classes, because the order in which it walks through their maps decides ties.
   * Does what GroupMetadataManager does in a heartbeat, up to the replay of the records.
   */
  private static final class Coordinator {
    private final ConsumerGroupPartitionAssignor assignor;
    private final ConsumerGroup group =
        new ConsumerGroup(new LogContext(), new SnapshotRegistry(new LogContext()), "group");
    private UpdatedMembersAndTargetAssignmentView<
            ConsumerGroupMember, org.apache.kafka.coordinator.group.modern.Assignment>
        view;
    /** Whose heartbeat has the next target computed. */
    private ConsumerGroupMember current;

    Coordinator(ConsumerGroupPartitionAssignor assignor) {
      this.assignor = assignor;
    }

    /**
     * The group is these members from now on; the last one, if it is new, is about to join.
     *
     * @return their ids in the order in which the coordinator walks through them.
     */
    List<String> update(List<Member> members) {
      Set<String> present = members.stream().map(member -> member.id).collect(Collectors.toSet());
      for (String id : List.copyOf(group.members().keySet())) {
        if (present.contains(id)) continue;
        group.removeMember(id);
        group.removeTargetAssignment(id);
      }
      for (Member member : members.subList(0, members.size() - 1)) group.updateMember(described(member));
      current = described(members.get(members.size() - 1));
      view = new UpdatedMembersAndTargetAssignmentView<>(
          group.members(), group.staticMembers(), group.targetAssignment(), ModernGroupMember::instanceId);
      view.addOrUpdateMember(current.memberId(), current);
      return List.copyOf(view.members().keySet());
    }

    /** Computes and takes over the next target. */
    Map<String, List<TopicPartition>> assign(Image image) {
      ConsumerGroupMember before = group.members().get(current.memberId());
      List<CoordinatorRecord> records = new ConsumerTargetAssignmentBuilder("group", 1, assignor)
          .withTime(Time.SYSTEM)
          .withMembers(view.members())
          .withSubscriptionType(ConsumerGroup.subscriptionType(
              Map.of(), group.computeSubscribedTopicNames(before, current), view.members().size()))
          .withTargetAssignment(view.targetAssignment())
          .withInvertedTargetAssignment(group.invertedTargetAssignment())
          .withMetadataImage(image)
          .build()
          .records();
      group.updateMember(current);
      for (CoordinatorRecord record : records) {
        if (record.key() instanceof ConsumerGroupTargetAssignmentMemberKey key) {
          ConsumerGroupTargetAssignmentMemberValue value =
              (ConsumerGroupTargetAssignmentMemberValue) record.value().message();
          group.updateTargetAssignment(
              key.memberId(), org.apache.kafka.coordinator.group.modern.Assignment.fromRecord(value));
        }
      }
      Map<String, List<TopicPartition>> target = new HashMap<>();
      for (String member : group.members().keySet()) {
        List<TopicPartition> own = new ArrayList<>();
        group.targetAssignment(member).partitions().forEach((id, partitions) -> {
          String topic = image.topicMetadata(id).orElseThrow().name();
          for (int partition : partitions) own.add(new TopicPartition(topic, partition));
        });
        target.put(member, own);
      }
      return target;
    }

    private static ConsumerGroupMember described(Member member) {
      return new ConsumerGroupMember.Builder(member.id)
          .setInstanceId(member.instanceId)
          .setSubscribedTopicNames(List.copyOf(new TreeSet<>(member.topics)))
          .build();
    }
  }

  private final String assignor;
  /** Where the coordinator assigns, and not a member. */
  private final Coordinator coordinator;
  private final SplittableRandom random;
  private final boolean keepsState;
  /** The order in which somebody owns something counts, and so do the topics' ids. */
  private final boolean ordered;
  private final boolean mixed;
  private final Map<String, Integer> topics = new LinkedHashMap<>();
  private final Map<String, Uuid> topicIds = new HashMap<>();
  private final List<Member> members = new ArrayList<>();
  /** Members that miss a round, and may come back with what they owned before it. */
  private final List<Member> away = new ArrayList<>();

  private GoldenVectors(String assignor, long number) {
    this.assignor = assignor;
    random = new SplittableRandom(number);
    coordinator =
        switch (assignor) {
          case "kip848-uniform" -> new Coordinator(new UniformAssignor());
          case "kip848-range" -> new Coordinator(new org.apache.kafka.coordinator.group.assignor.RangeAssignor());
          default -> null;
        };
    ordered = assignor.equals("kip848-uniform");
    keepsState = coordinator != null || assignor.endsWith("sticky");
    mixed = chance(0.6);
    int names = 1 + random.nextInt(6);
    int size = chance(0.5) ? 8 : chance(0.7) ? 24 : 64;
    for (int at = 0; at < names; at++) topics.put(NAMES.get(at), 1 + random.nextInt(size));
    if (coordinator != null) nameTopics();
    int most = chance(0.6) ? 6 : chance(0.95) ? 20 : MOST_MEMBERS;
    for (int joining = 1 + random.nextInt(most); joining > 0; joining--) join();
  }

  /** A group as the first three fields of a line describe it. */
  private GoldenVectors(String assignor, String line) {
    this.assignor = assignor;
    random = null;
    coordinator = null;
    keepsState = assignor.endsWith("sticky");
    ordered = false;
    mixed = false;
    String[] fields = line.split(";", -1);
    for (String topic : fields[0].split(",")) topics.put(topic.split("=")[0], Integer.valueOf(topic.split("=")[1]));
    List<String> names = List.copyOf(topics.keySet());
    for (String joined : fields[1].split(",")) {
      String[] parts = joined.split("/");
      Member member = new Member(parts[0]);
      member.generation = Integer.parseInt(parts[1]);
      member.topics = parts[2].chars().mapToObj(digit -> names.get(digit - '0')).collect(Collectors.toSet());
      if (parts.length > 3) member.instanceId = parts[3];
      members.add(member);
    }
    String[] owned = fields[2].split(",", -1);
    for (int topic = 0; topic < owned.length; topic++) {
      for (String row : owned[topic].split("/")) {
        for (int at = 0; at < row.length(); at++) {
          if (row.charAt(at) == '.') continue;
          members.get(row.charAt(at) - 'A').owned.add(new TopicPartition(names.get(topic), at));
        }
      }
    }
  }

  public static void main(String[] args) {
    LOG.setUseParentHandlers(false);
    LOG.setLevel(Level.FINE);
    LOG.addHandler(PATIENCE);
    PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    if (args.length == 1) {
      for (String line : new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).lines().toList()) {
        GoldenVectors group = new GoldenVectors(args[0], line);
        out.print(group.describe() + ";" + group.describe(group.assign()) + "\n");
      }
      out.flush();
      return;
    }
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
      if (coordinator != null) {
        List<String> order = coordinator.update(members);
        members.sort(Comparator.comparingInt(member -> order.indexOf(member.id)));
      }
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
    switch (coordinator == null ? random.nextInt(14) : COORDINATED.get(random.nextInt(COORDINATED.size()))) {
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
      case 9 -> {
        String topic = anyTopic();
        int more = 1 + random.nextInt(8);
        // One that is deleted would come back under another id, which makes it another topic to the coordinator.
        if (coordinator == null || topics.get(topic) > 0) topics.merge(topic, more, Integer::sum);
      }
      case 10, 11 -> changeSubscriptions();
      default -> rarely();
    }
  }

  private void rarely() {
    // A coordinator knows of no smaller topic and of no partition with two owners.
    if (coordinator != null || chance(0.3)) {
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
    Member member = new Member(newId());
    boolean taken = members.stream().anyMatch(other -> other.id.equals(member.id));
    if (taken || away.stream().anyMatch(other -> other.id.equals(member.id))) return;
    if (!keepsState && chance(0.2)) member.instanceId = "i" + (members.size() * 7 % MOST_MEMBERS);
    if (assignor.equals("kip848-range") && chance(0.2)) member.instanceId = "i" + random.nextInt(1_000_000);
    boolean alike = !mixed && !members.isEmpty();
    member.topics = alike ? members.get(0).topics : subscription(mixed);
    members.add(member);
  }

  /** Shortened, but else as a member of the coordinator's names itself (KIP-1082); the others are named by hand. */
  private String newId() {
    return coordinator == null
        ? String.format("m-%04x", random.nextInt(0x10000))
        : new Uuid(random.nextLong(), 0).toString().substring(0, 6);
  }

  private void nameTopics() {
    for (String topic : topics.keySet()) {
      Uuid id;
      do id = TOPIC_IDS.get(random.nextInt(TOPIC_IDS.size()));
      while (topicIds.containsValue(id));
      topicIds.put(topic, id);
    }
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
    return coordinator == null ? assignAsLeader() : coordinator.assign(image());
  }

  private Image image() {
    Stream<String> existing = topics.keySet().stream().filter(topic -> topics.get(topic) > 0);
    return new Image(existing.map(topic -> new Topic(topic, topicIds.get(topic), topics.get(topic))).toList());
  }

  private Map<String, List<TopicPartition>> assignAsLeader() {
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
    topics.forEach((topic, count) -> sizes.add(topic + "=" + count + (ordered ? "/" + topicIds.get(topic) : "")));
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
    return String.join(",", described) + describeOrder(ownership);
  }

  /** What somebody owns in another order than that in which the coordinator would have it if it were all it knew. */
  private String describeOrder(Map<String, List<TopicPartition>> ownership) {
    StringBuilder described = new StringBuilder();
    for (int at = 0; ordered && at < members.size(); at++) {
      List<TopicPartition> own = ownership.get(members.get(at).id);
      if (own.equals(inOrder(own))) continue;
      described.append(' ').append((char) ('A' + at));
      List<String> names = List.copyOf(topics.keySet());
      own.forEach(each -> described.append(':').append(names.indexOf(each.topic())).append('.').append(each.partition()));
    }
    return described.toString();
  }

  /** As the coordinator has it that reads it topic by topic, by number, from its log. */
  private List<TopicPartition> inOrder(List<TopicPartition> own) {
    Map<Uuid, Set<Integer>> read = new HashMap<>();
    for (String topic : topics.keySet()) {
      List<Integer> partitions =
          own.stream().filter(each -> each.topic().equals(topic)).map(TopicPartition::partition).sorted().toList();
      if (!partitions.isEmpty()) read.put(topicIds.get(topic), new HashSet<>(partitions));
    }
    Map<Uuid, String> names = new HashMap<>();
    topicIds.forEach((topic, id) -> names.put(id, topic));
    List<TopicPartition> ordered = new ArrayList<>();
    read.forEach((id, partitions) -> partitions.forEach(each -> ordered.add(new TopicPartition(names.get(id), each))));
    return ordered;
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
