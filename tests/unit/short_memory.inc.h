/* malloc(3) and its like for a test in which memory runs short: they answer NULL whenever memory_is_short(), which the test defines, says so.
 * Under AddressSanitizer and valgrind malloc(3) is another's: the first is known when a test is built (SHORT_MEMORY is undefined then). */
#ifndef __SANITIZE_ADDRESS__
#define SHORT_MEMORY
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
static bool memory_is_short(void);

#pragma GCC visibility push(default) /* libraries are to find these */
void *malloc(size_t n) { return memory_is_short() ? NULL : __libc_malloc(n); }
void *calloc(size_t k, size_t n) { return memory_is_short() ? NULL : __libc_calloc(k, n); }
void *realloc(void *p, size_t n) { return memory_is_short() ? NULL : __libc_realloc(p, n); }
#pragma GCC visibility pop
#endif
