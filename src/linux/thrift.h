/* Memory given back once a start is over. */
#pragma once

/* Returns free heap to the kernel and drops the pages of code and constants that only the start needed: they are mapped again from the
 * page cache when they are used. Sources: malloc_trim(3), madvise(2) MADV_DONTNEED on private file mappings, dl_iterate_phdr(3). */
void thrift_give_back(void);
