/* Functions of librdkafka that the linked files mention and the assignors never call; a call would spoil the vectors. */
#include <stdlib.h>

#define ABSENT(NAME)                                                                                                   \
        void NAME(void) {                                                                                              \
                _Exit(3);                                                                                              \
        }

ABSENT(rd_kafka_broker_destroy_final)
ABSENT(rd_kafka_dr_msgq0)
ABSENT(rd_kafka_lwtopic_destroy)
ABSENT(rd_kafka_pattern_match)
ABSENT(rd_kafka_q_destroy_final)
ABSENT(rd_kafka_q_fwd_set0)
ABSENT(rd_kafka_q_purge0)
ABSENT(rd_kafka_timer_stop)
ABSENT(rd_kafka_topic_destroy_final)
