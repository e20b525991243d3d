/* What is a secret and what is not, in names, texts, words and whole specs. */
#include "unit.inc.h"

#include <stdio.h>

#include "base/strv.h"
#include "base/text.h"
#include "model/plan.h"
#include "model/redact.h"

static const Redactor plain;

static void test_names(void **state) {
        static const char *const secret[] = {
                "PASSWORD", "DB_PASSWORD", "dbPassword", "MYSQL_ROOT_PASSWORD", "PGPASSWORD", "MYSQL_PWD", "DB_PASS", "SMTP_PASSWD", "SSH_PASSPHRASE",
                "SECRET", "SECRET_KEY_BASE", "CLIENT_SECRET", "clientSecret", "GITHUB_TOKEN", "TOKEN", "accessToken", "API_KEY", "apikey", "APIKEY",
                "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "STRIPE_KEY", "ENCRYPTION_KEYS", "GOOGLE_CREDENTIALS", "CREDENTIAL", "ERLANG_COOKIE",
                "PASSWORD_SALT", "private-key", "Authorization",
        };
        static const char *const open[] = {
                "PATH", "HOME", "PWD", "OLDPWD", "NODE_ENV", "PORT", "KEYBOARD", "KEYMAP", "TOKENIZERS_PARALLELISM", "PASSENGER_POOL", "DB_PASSWORD_FILE",
                "SSL_KEY_PATH", "SSH_PUBLIC_KEY", "PUBLIC_KEY", "HOST_KEY_DIR", "CREDENTIALS_DIRECTORY", "DATABASE_URL", "COMPASSION", "MONKEYS_AROUND", "SSH_AUTH_SOCK", "",
        };
        const Redactor more = { .names = (char *[]) { "DSN", "STRIPE_*", NULL } };

        for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
                if (!redact_name(&plain, secret[i], strlen(secret[i])))
                        fail_msg("%s is shown", secret[i]);
        for (size_t i = 0; i < ARRAY_SIZE(open); i++)
                if (redact_name(&plain, open[i], strlen(open[i])))
                        fail_msg("%s is hidden", open[i]);
        assert_true(redact_name(&more, "DSN", 3));
        assert_true(redact_name(&more, "STRIPE_ACCOUNT", 14));
        assert_false(redact_name(&more, "SENTRY_DSN", 10));
}

static void test_texts(void **state) {
        static const struct {
                const char *text, *shown;
        } cases[] = {
                { "", "" },
                { "nothing to hide", "nothing to hide" },
                { "postgres://me:hunter2@db:5432/shop", "postgres://me:<hidden>@db:5432/shop" },
                { "see https://a:b@c/ and redis://:pw@h", "see https://a:<hidden>@c/ and redis://:<hidden>@h" },
                { "amqp://u:p@ss/w:rd@host/vhost", "amqp://u:<hidden>@ss/w:rd@host/vhost" },
                { "mongodb://u:a/b@host", "mongodb://u:<hidden>@host" },
                { "http://host:8080/x@y", "http://host:8080/x@y" },
                { "ssh://git@host/repo", "ssh://git@host/repo" },
                { "http://[::1]:80/", "http://[::1]:80/" },
                { "PASSWORD=hunter2 exec ./run --flag", "PASSWORD=<hidden> exec ./run --flag" },
                { "DB_PASSWORD='two words' ./run", "DB_PASSWORD=<hidden> ./run" },
                { "curl 'http://h/?token=abc&x=1'", "curl 'http://h/?token=<hidden>&x=1'" },
                { "java -Ddb.password=x -Dy=z", "java -Ddb.password=<hidden> -Dy=z" },
                { "run --api-key abc --port 80", "run --api-key <hidden> --port 80" },
                { "run --password --port 80", "run --password --port 80" },
                { "curl -H 'Authorization: Bearer abc.def' http://h", "curl -H 'Authorization: <hidden>' http://h" },
                { "x -----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- y", "x <hidden> y" },
                { "-----BEGIN CERTIFICATE-----\nabc", "-----BEGIN CERTIFICATE-----\nabc" },
                { "PASSWORD=", "PASSWORD=" },
                { "a=b==c", "a=b==c" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _cleanup_free_ char *shown = redact_text(&plain, cases[i].text);

                assert_string_equal(shown, cases[i].shown);
        }
}

static void test_words(void **state) {
        char *argv[] = { "app", "--password", "a b", "--token=c d", "KEY=e f", "--secret", "--port", "80", "-p", "hunter2hunter2", "sh://u:p@h", NULL };
        char *env[] = { "A=1", "DATABASE_URL=pg://u:p@h/x", "DB_PASSWORD=hunter2hunter2", "EMPTY_TOKEN=", "NOTE=it is hunter2hunter2", NULL };
        _cleanup_(spec_freep) ServiceSpec *s = NULL;
        _cleanup_strv_ char **words = NULL, **variables = NULL;
        _cleanup_free_ char *joined = NULL, *together = NULL;
        Redactor r;

        assert_int_equal(spec_new("default", "a", &s), 0);
        assert_non_null(s->env = strv_copy(env));
        redactor_init(&r, s);
        assert_int_equal(r.n_values, 1);
        words = redact_words(&r, argv);
        joined = strv_join(words, "|");
        assert_string_equal(joined, "app|--password|<hidden>|--token=<hidden>|KEY=<hidden>|--secret|--port|80|-p|<hidden>|sh://u:<hidden>@h");
        variables = redact_environment(&r, env);
        together = strv_join(variables, "|");
        assert_string_equal(together, "A=1|DATABASE_URL=pg://u:<hidden>@h/x|DB_PASSWORD=<hidden>|EMPTY_TOKEN=|NOTE=it is <hidden>");
}

/* A change of a secret is seen, the secret is not. */
static void test_plan(void **state) {
        SpecList present = {}, desired = {};
        ServiceSpec *a = NULL, *b = NULL;
        _cleanup_plan_ Plan p = {};

        assert_int_equal(spec_new("default", "a", &a) | spec_new("default", "a", &b), 0);
        assert_non_null(a->env = strv_copy((char *[]) { "DB_PASSWORD=old", "X=1", NULL }));
        assert_non_null(b->env = strv_copy((char *[]) { "DB_PASSWORD=new", "X=1", NULL }));
        assert_int_equal(spec_list_append(&present, a) | spec_list_append(&desired, b), 0);
        assert_int_equal(plan_make(&present, &desired, false, &p), 0);
        assert_int_equal(p.items[0].verb, PLAN_RESTART);
        assert_string_equal(p.items[0].changes[0].from, "DB_PASSWORD=<hidden> X=1");
        assert_string_equal(p.items[0].changes[0].to, "DB_PASSWORD=<hidden> X=1 (what is hidden differs)");
        spec_list_done(&present);
        spec_list_done(&desired);
}

/* Whatever surrounds it, a planted secret does not come through, and the work ends. */
static void test_random(void **state) {
        static const char alphabet[] = "ab =&;:/@-'\"\n?#<>._PASSWORD";
        unsigned seed = 1;

        for (unsigned round = 0; round < 2000; round++) {
                char before[24], after[24], text[128];
                _cleanup_free_ char *shown = NULL;

                for (size_t i = 0; i < sizeof before; i++) {
                        before[i] = alphabet[(unsigned) rand_r(&seed) % (sizeof alphabet - 1)];
                        after[i] = alphabet[(unsigned) rand_r(&seed) % (sizeof alphabet - 1)];
                }
                before[(unsigned) rand_r(&seed) % sizeof before] = after[(unsigned) rand_r(&seed) % sizeof after] = '\0';
                before[sizeof before - 1] = after[sizeof after - 1] = '\0';
                snprintf(text, sizeof text, "%s DB_PASSWORD=zyxwv %s", before, after);
                shown = redact_text(&plain, text);
                assert_non_null(shown);
                if (strstr(shown, "zyxwv"))
                        fail_msg("\"%s\" shows as \"%s\"", text, shown);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_texts), cmocka_unit_test(test_words),
                                            cmocka_unit_test(test_plan), cmocka_unit_test(test_random) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
