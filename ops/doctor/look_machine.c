/* look_machine - this machine: the state folder, its disk, and the dates of certificates. The clock needs another one to compare with: look_postgres. */
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ops/doctor/patient.h"
#include "shared/clock.h"
#include "shared/tls.h"

#define DAY_S     86400
#define US        1000000
#define FIX_BYTES 320u

static void see_state(struct ops_patient *patient);
static void see_certificate(struct ops_patient *patient, enum ops_check_id id, const char *file,
                            const char *key, const char *none);

void ops_look_machine(struct ops_patient *patient)
{
    const struct ops_deployed_publisher *publisher = &patient->deployed.publisher;
    see_state(patient);
    see_certificate(patient, OPS_CHECK_TLS_SERVER, publisher->tls_cert, publisher->tls_key,
                    "the publisher speaks no TLS itself");
    see_certificate(patient, OPS_CHECK_TLS_BROKER, publisher->amqp_cert, publisher->amqp_key,
                    "we show the broker none");
}

/* A publisher elsewhere has its folder there. */
static void see_state(struct ops_patient *patient)
{
    const char *dir = ops_address_state_dir(&patient->address, NULL);
    struct statvfs disk = { 0 };
    char fix[FIX_BYTES];
    if (access(dir, F_OK) != 0 && patient->address.settings.state_dir == NULL) {
        ops_facts_skip(&patient->facts, OPS_CHECK_MACHINE_STATE, OPS_CHECK_MACHINE_DISK,
                       "there is no state folder on this machine");
        return;
    }
    bool is_there = access(dir, F_OK) == 0;
    bool is_ours = access(dir, R_OK | W_OK | X_OK) == 0;
    int why = errno;
    snprintf(fix, sizeof fix, is_there ? "chown sluice: %s && chmod 700 %s" : "mkdir -p %s", dir,
             dir);
    ops_fact_see(&patient->facts, OPS_CHECK_MACHINE_STATE, is_ours ? 0 : 1, fix, "%s%s%s", dir,
                 is_ours ? "" : ": ", is_ours ? "" : strerror(why));
    if (!is_there) {
        ops_fact_skip(&patient->facts, OPS_CHECK_MACHINE_DISK, "there is no such folder");
        return;
    }
    if (statvfs(dir, &disk) != 0) {
        ops_fact_blind(&patient->facts, OPS_CHECK_MACHINE_DISK, strerror(errno));
        return;
    }
    ops_fact_see(&patient->facts, OPS_CHECK_MACHINE_DISK, (int64_t)(disk.f_bavail * disk.f_frsize),
                 dir, " ");
}

static void see_certificate(struct ops_patient *patient, enum ops_check_id id, const char *file,
                            const char *key, const char *none)
{
    struct sl_err why = { 0 };
    if (file == NULL || key == NULL) {
        ops_fact_skip(&patient->facts, id, none);
        return;
    }
    SL_AUTO(sl_tls_server_free)
    struct sl_tls_server *pair =
        sl_tls_server_new(&(struct sl_tls_server_opts){ .certificate = file, .key = key }, &why);
    if (pair == NULL) {
        ops_fact_see(&patient->facts, id, -1, file, "cannot be used: %s", why.text);
        return;
    }
    int64_t left_s = sl_tls_server_expires_s(pair) - sl_clock_wall_us() / US;
    int64_t days = left_s < 0 ? -1 - -left_s / DAY_S : left_s / DAY_S;
    ops_fact_see(&patient->facts, id, days, file,
                 left_s < 0 ? "has expired" : "expires in %lld days", (long long)days);
}
