/*
 * Writes what librdkafka's own assignors compute for random consumer groups.
 *
 *   vectors <cooperative-sticky|range|roundrobin> <first group> <number of groups>
 *
 * A group is made from its number alone, so that any part of the output can be written again. Each group lives for some
 * rounds: members leave and join, fall behind, or subscribe to something else; topics grow, shrink and vanish. What members
 * own is what the assignor gave them in an earlier round. The format is described in test/kafka/golden/README.md.
 *
 * Each group runs in a process of its own, built with AddressSanitizer: where librdkafka ends on an assertion or uses memory
 * that it has freed, the group ends with "!" in place of the assignment.
 */

/* First: it decides what the system's headers declare. */
#include "rdkafka_int.h"
#include "rdkafka_assignor.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

typedef rd_kafka_resp_err_t assign_t(rd_kafka_t *, const rd_kafka_assignor_t *, const char *, const rd_kafka_metadata_t *,
                                     rd_kafka_group_member_t *, size_t, rd_kafka_assignor_topic_t **, size_t, char *,
                                     size_t, void *);
assign_t rd_kafka_sticky_assignor_assign_cb, rd_kafka_range_assignor_assign_cb, rd_kafka_roundrobin_assignor_assign_cb;

#define MAX_TOPICS 6
#define MAX_MEMBERS 32
#define MAX_OWNED 4096

typedef struct {
        int topic;
        int partition;
} place_t;

typedef struct {
        int count;
        place_t places[MAX_OWNED];
} places_t;

typedef struct {
        char id[8];
        char instance[8]; /* empty for a dynamic member */
        rd_bool_t subscribed[MAX_TOPICS];
        int generation;
        places_t owned;
        places_t assigned;
} member_t;

typedef struct {
        int topics;                   /* how many topics there ever were */
        int partitions[MAX_TOPICS];   /* 0: the topic does not exist */
        int order[MAX_TOPICS];        /* the order in the metadata */
        rd_bool_t alike;              /* everybody subscribes to the same topics */
        int staticPercent;
        int latePercent;              /* of the members miss a round */
        rd_bool_t withoutGenerations; /* members speak a version of the protocol that has none */
        int generation;
        int size;
        member_t members[MAX_MEMBERS];
} group_t;

static group_t group;
static rd_kafka_t *client;

/* What the linked files call outside of themselves. */
void rd_kafka_log0(const rd_kafka_conf_t *conf, const rd_kafka_t *rk, const char *extra, int level, int ctx,
                   const char *fac, const char *fmt, ...) {
}
void rd_kafka_crash(const char *file, int line, const char *function, rd_kafka_t *rk, const char *reason) {
        abort();
}
const char *__asan_default_options(void) {
        return "detect_leaks=0";
}

/* SplitMix64: the same numbers on every machine. */
static uint64_t randomState;
static uint64_t drawn(void) {
        uint64_t mixed = (randomState += 0x9e3779b97f4a7c15ull);
        mixed          = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
        mixed          = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
        return mixed ^ (mixed >> 31);
}
static int below(int bound) {
        return (int)(drawn() % (uint64_t)bound);
}
static rd_bool_t chance(int percent) {
        return below(100) < percent;
}

static int partitionCount(void) {
        static const int sizes[] = {4, 8, 8, 12, 16, 24, 64};
        return 1 + below(sizes[below(7)]);
}

static void nameMember(member_t *member) {
        static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
        int at, other;
        do {
                for (at = 0; at < 3; at++)
                        member->id[at] = letters[below(36)];
                for (other = 0; other < group.size; other++)
                        if (&group.members[other] != member && !strcmp(group.members[other].id, member->id))
                                break;
        } while (other < group.size);
}

static void subscribe(member_t *member) {
        int topic, count = 0;
        for (topic = 0; topic < group.topics; topic++)
                count += member->subscribed[topic] = group.alike || chance(60);
        if (!count)
                member->subscribed[below(group.topics)] = rd_true;
}

static void join(void) {
        member_t *member;
        if (group.size == MAX_MEMBERS)
                return;
        member = &group.members[group.size];
        memset(member, 0, sizeof(*member));
        nameMember(member);
        if (chance(group.staticPercent))
                snprintf(member->instance, sizeof(member->instance), "%c%d", 'i' + below(8), group.generation * 32 + group.size);
        subscribe(member);
        member->generation = -1;
        group.size++;
}

static void leave(int leaver) {
        group.members[leaver] = group.members[--group.size];
}

static void shuffle(void) {
        int at;
        for (at = group.size - 1; at > 0; at--) {
                int other               = below(at + 1);
                member_t held           = group.members[at];
                group.members[at]       = group.members[other];
                group.members[other]    = held;
        }
        for (at = group.topics - 1; at > 0; at--) {
                int other           = below(at + 1);
                int held            = group.order[at];
                group.order[at]     = group.order[other];
                group.order[other]  = held;
        }
}

static void found(uint64_t number) {
        static const int topicCounts[] = {1, 1, 1, 2, 2, 3, 4, 6};
        static const int sizes[]       = {3, 5, 8, 8, 12, 20};
        int topic, size;
        memset(&group, 0, sizeof(group));
        randomState  = number * 0xd1342543de82ef95ull + 1;
        group.topics = topicCounts[below(8)];
        for (topic = 0; topic < group.topics; topic++) {
                group.partitions[topic] = partitionCount();
                group.order[topic]      = topic;
        }
        group.alike              = chance(50);
        group.staticPercent      = chance(70) ? 0 : chance(70) ? 100 : 50;
        group.latePercent        = chance(30) ? 40 : 2;
        group.withoutGenerations = chance(5);
        size                     = 1 + below(sizes[below(6)]);
        while (group.size < size)
                join();
        shuffle();
}

static void changeTopics(void) {
        int topic = below(group.topics);
        group.partitions[topic] = chance(30) ? 0 : partitionCount();
}

/* Before all but the first round: what makes a group rebalance, several of it at once too. */
static void disturb(void) {
        int change, changes = below(4);
        for (change = 0; change < changes; change++) {
                int kind = below(20);
                if (kind < 8 && group.size > 1)
                        leave(below(group.size));
                else if (kind < 16)
                        join();
                else if (kind == 16)
                        changeTopics();
                else if (kind == 17 && !group.alike)
                        subscribe(&group.members[below(group.size)]);
        }
        if (chance(12)) { /* a member was away while its partitions went to another; or both claim them at once */
                member_t *away = &group.members[below(group.size)], *other = &group.members[below(group.size)];
                away->owned      = other->owned;
                away->generation = other->generation - (other->generation > 0 && chance(80));
        }
        shuffle();
}

static void printPlaces(const places_t *list) {
        int at, end, topic = -1;
        for (at = 0; at < list->count; at = end) {
                const place_t *first = &list->places[at];
                for (end = at + 1; end < list->count && list->places[end].topic == first->topic &&
                                   list->places[end].partition == first->partition + end - at;
                     end++)
                        ;
                if (first->topic == topic)
                        printf(",%d", first->partition);
                else
                        printf(" %c%d", 'a' + first->topic, first->partition);
                if (end - at > 1)
                        printf("-%d", first->partition + end - at - 1);
                topic = first->topic;
        }
        printf("\n");
}

static void printInput(void) {
        int at, topic;
        printf("topics");
        for (at = 0; at < group.topics; at++)
                if (group.partitions[group.order[at]])
                        printf(" %c=%d", 'a' + group.order[at], group.partitions[group.order[at]]);
        printf("\n");
        for (at = 0; at < group.size; at++) {
                member_t *member = &group.members[at];
                printf("%s%s%s ", member->id, *member->instance ? "/" : "", member->instance);
                for (topic = 0; topic < group.topics; topic++)
                        if (member->subscribed[topic])
                                printf("%c", 'a' + topic);
                printf(" %d", member->generation);
                printPlaces(&member->owned);
        }
        fflush(stdout);
}

static const char *topicName(int topic) {
        static const char *const names[MAX_TOPICS] = {"a", "b", "c", "d", "e", "f"};
        return names[topic];
}

static void toClient(rd_kafka_group_member_t *into, const member_t *member) {
        int at;
        memset(into, 0, sizeof(*into));
        into->rkgm_member_id         = rd_kafkap_str_new(member->id, -1);
        into->rkgm_group_instance_id = rd_kafkap_str_new(*member->instance ? member->instance : NULL, -1);
        into->rkgm_rack_id           = rd_kafkap_str_new(NULL, -1);
        into->rkgm_generation        = member->generation;
        into->rkgm_subscription      = rd_kafka_topic_partition_list_new(MAX_TOPICS);
        into->rkgm_owned             = rd_kafka_topic_partition_list_new(16);
        into->rkgm_assignment        = rd_kafka_topic_partition_list_new(16);
        rd_list_init(&into->rkgm_eligible, 0, NULL);
        for (at = 0; at < group.topics; at++)
                if (member->subscribed[at])
                        rd_kafka_topic_partition_list_add(into->rkgm_subscription, topicName(at),
                                                          RD_KAFKA_PARTITION_UA);
        for (at = 0; at < member->owned.count; at++)
                rd_kafka_topic_partition_list_add(into->rkgm_owned, topicName(member->owned.places[at].topic),
                                                  member->owned.places[at].partition);
}

/* The assignor may have sorted the members, so that they are found by their ids. */
static void fromClient(const rd_kafka_group_member_t *from) {
        int at, index = 0;
        while (strcmp(group.members[index].id, from->rkgm_member_id->str))
                index++;
        if (from->rkgm_assignment->cnt > MAX_OWNED)
                _exit(3);
        group.members[index].assigned.count = from->rkgm_assignment->cnt;
        for (at = 0; at < from->rkgm_assignment->cnt; at++) {
                group.members[index].assigned.places[at].topic     = *from->rkgm_assignment->elems[at].topic - 'a';
                group.members[index].assigned.places[at].partition = from->rkgm_assignment->elems[at].partition;
        }
}

/* The metadata as the broker's answer would give it; freed with the process. */
static rd_kafka_metadata_internal_t *metadata(void) {
        rd_kafka_metadata_internal_t *all = calloc(1, sizeof(*all));
        int at, partition;
        all->metadata.topics = calloc(MAX_TOPICS, sizeof(*all->metadata.topics));
        all->topics          = calloc(MAX_TOPICS, sizeof(*all->topics));
        for (at = 0; at < group.topics; at++) {
                int topic = group.order[at], index = all->metadata.topic_cnt, count = group.partitions[topic];
                if (!count)
                        continue;
                all->metadata.topics[index].topic         = (char *)topicName(topic);
                all->metadata.topics[index].partition_cnt = count;
                all->metadata.topics[index].partitions    = calloc(count, sizeof(rd_kafka_metadata_partition_t));
                all->topics[index].partitions = calloc(count, sizeof(rd_kafka_metadata_partition_internal_t));
                for (partition = 0; partition < count; partition++)
                        all->metadata.topics[index].partitions[partition].id =
                            all->topics[index].partitions[partition].id = partition;
                all->metadata.topic_cnt++;
        }
        return all;
}

static void assign(const rd_kafka_assignor_t *assignor) {
        static rd_kafka_group_member_t members[MAX_MEMBERS];
        rd_kafka_cgrp_t consumers = {.rkcg_rk = client, .rkcg_member_id = rd_kafkap_str_new("leader", -1)};
        char error[512];
        int at;
        for (at = 0; at < group.size; at++)
                toClient(&members[at], &group.members[at]);
        if (rd_kafka_assignor_run(&consumers, assignor, &metadata()->metadata, members, group.size, error,
                                  sizeof(error)))
                _exit(3);
        for (at = 0; at < group.size; at++)
                fromClient(&members[at]);
}

/* Of several who claim it the last is taken for the owner. */
static rd_bool_t ownedByAnother(const member_t *member, place_t place) {
        int at, owned;
        for (at = group.size - 1; at >= 0; at--)
                for (owned = 0; owned < group.members[at].owned.count; owned++)
                        if (!memcmp(&group.members[at].owned.places[owned], &place, sizeof(place)))
                                return &group.members[at] != member;
        return rd_false;
}

/* KIP-429: what another member still holds is given only in the next round. */
static void withholdMoved(void) {
        int at, index;
        for (at = 0; at < group.size; at++) {
                places_t *assigned = &group.members[at].assigned;
                int count = 0;
                for (index = 0; index < assigned->count; index++)
                        if (!ownedByAnother(&group.members[at], assigned->places[index]))
                                assigned->places[count++] = assigned->places[index];
                assigned->count = count;
        }
}

/* Some members miss the round: they come back with what they had, and its generation. */
static void take(void) {
        int at;
        group.generation++;
        if (chance(50))
                withholdMoved();
        for (at = 0; at < group.size; at++) {
                member_t *member = &group.members[at];
                if (chance(group.latePercent))
                        continue;
                member->owned      = member->assigned;
                member->generation = group.withoutGenerations ? -1 : group.generation;
        }
}

static void live(uint64_t number, const rd_kafka_assignor_t *assignor) {
        int round, at, rounds;
        found(number);
        rounds = 2 + below(3);
        for (round = 0; round < rounds; round++) {
                if (round)
                        disturb();
                printInput();
                assign(assignor);
                for (at = 0; at < group.size; at++) {
                        printf(">");
                        printPlaces(&group.members[at].assigned);
                }
                take();
        }
        fflush(stdout);
}

static void runApart(uint64_t number, const rd_kafka_assignor_t *assignor) {
        int status;
        pid_t child;
        printf("group %" PRIu64 "\n", number);
        fflush(stdout);
        if ((child = fork()) < 0)
                exit(1);
        if (!child) {
                if (!getenv("SHOW_CRASHES"))
                        (void)!freopen("/dev/null", "w", stderr);
                alarm(60);
                live(number, assignor);
                _exit(0);
        }
        if (waitpid(child, &status, 0) != child || (WIFEXITED(status) && WEXITSTATUS(status) == 3) ||
            (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
                exit(1);
        if (status)
                printf("!\n");
}

/* The assignors' own entry points: registering them would pull their unit tests in, and with them the library. */
static rd_bool_t chosen(rd_kafka_assignor_t *assignor, const char *name) {
        if (!strcmp(name, "cooperative-sticky"))
                assignor->rkas_assign_cb = rd_kafka_sticky_assignor_assign_cb;
        else if (!strcmp(name, "range"))
                assignor->rkas_assign_cb = rd_kafka_range_assignor_assign_cb;
        else if (!strcmp(name, "roundrobin"))
                assignor->rkas_assign_cb = rd_kafka_roundrobin_assignor_assign_cb;
        return assignor->rkas_assign_cb != NULL;
}

int main(int argc, char **argv) {
        rd_kafka_assignor_t assignor = {.rkas_assign_cb = NULL};
        uint64_t number, end;
        if (argc != 4 || !chosen(&assignor, argv[1]))
                return 2;
        client = calloc(1, sizeof(*client));
        number = strtoull(argv[2], NULL, 10);
        for (end = number + strtoull(argv[3], NULL, 10); number < end; number++)
                runApart(number, &assignor);
        return 0;
}
