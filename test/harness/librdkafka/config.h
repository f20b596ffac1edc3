/* What librdkafka's own ./configure would find here: only the lines that the assignors' files need. */
#pragma once
#define HAVE_ATOMICS_32 1
#define HAVE_ATOMICS_64 1
#define HAVE_ATOMICS_32_ATOMIC 1
#define HAVE_ATOMICS_64_ATOMIC 1
#define ATOMIC_OP(OP1, OP2, PTR, VAL) __atomic_##OP1##_##OP2(PTR, VAL, __ATOMIC_SEQ_CST)
#define ATOMIC_OP32 ATOMIC_OP
#define ATOMIC_OP64 ATOMIC_OP
#define HAVE_REGEX 1
#define HAVE_STRNDUP 1
#define HAVE_STRERROR_R 1
#define HAVE_STRCASESTR 1
#define WITH_C11THREADS 1
#define SOLIB_EXT ".so"
#define BUILT_WITH ""
