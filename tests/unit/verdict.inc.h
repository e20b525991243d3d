/* What the program answers to a call; made for the lines that filters of ours have. */
static uint32_t verdict(const struct sock_filter *line, uint32_t arch, uint32_t number) {
        struct seccomp_data data = { .nr = (int) number, .arch = arch };
        uint32_t a = 0;

        for (;; line++)
                switch (line->code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        memcpy(&a, (const char *) &data + line->k, sizeof a);
                        break;
                case BPF_JMP | BPF_JA:
                        line += line->k;
                        break;
                case BPF_JMP | BPF_JEQ | BPF_K:
                        line += a == line->k ? line->jt : line->jf;
                        break;
                case BPF_JMP | BPF_JGE | BPF_K:
                        line += a >= line->k ? line->jt : line->jf;
                        break;
                default:
                        assert_int_equal(line->code, BPF_RET | BPF_K);
                        return line->k;
                }
}
