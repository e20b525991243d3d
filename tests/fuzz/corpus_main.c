/* main() of a fuzz target that is not built with a fuzzer: runs every file given, and every file in the directories given, through it once.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static int run_file(const char *path, size_t size) {
        FILE *f = fopen(path, "re");
        uint8_t *data = malloc(size + 1);
        size_t n;

        if (!f || !data) {
                perror(path);
                return 1;
        }
        n = fread(data, 1, size, f);
        fclose(f);
        /* Exactly as large as the input, so that a sanitizer sees a read beyond it. */
        data = realloc(data, n > 0 ? n : 1);
        (void) LLVMFuzzerTestOneInput(data, n);
        free(data);
        inputs++;
        return 0;
}

static int run(const char *path);

static int run_directory(const char *path) {
        DIR *d = opendir(path);
        struct dirent *e;
        char child[4096];
        int bad = 0;

        if (!d) {
                perror(path);
                return 1;
        }
        while ((e = readdir(d))) {
                if (e->d_name[0] == '.')
                        continue;
                snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
                bad |= run(child);
        }
        closedir(d);
        return bad;
}

static int run(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0) {
                perror(path);
                return 1;
        }
        return S_ISDIR(st.st_mode) ? run_directory(path) : run_file(path, (size_t) st.st_size);
}

int main(int argc, char **argv) {
        int bad = 0;

        for (int i = 1; i < argc; i++)
                bad |= run(argv[i]);
        printf("%u inputs\n", inputs);
        return bad;
}
