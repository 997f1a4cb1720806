/*
 * patient - what the doctor looks at, and what has been seen so far.
 *
 * Each ops_look_* is one edge: it looks at its part, says something of each of its checks, and ends by itself within OPS_LOOK_MS for each answer it
 * waits for. None of them fails: what cannot be looked at is said so, and the others go on.
 * Threads: one owner.
 */
#ifndef OPS_DOCTOR_PATIENT_H
#define OPS_DOCTOR_PATIENT_H

#include "ops/address.h"
#include "ops/doctor/check.h"
#include "ops/doctor/deployed.h"
#include "shared/json/json.h"
#include "shared/subsystem/subsystems.h"

#define OPS_LOOK_MS 4000

struct ops_patient {
    const char *environment; /* production, staging …; NULL: nobody says */
    struct ops_address address;
    struct ops_deployed deployed;
    struct sl_subsystems subsystems;
    struct sl_amqp_url amqp;
    bool has_amqp;
    struct ops_facts facts;
};

/* Configuration first: the others lean on what it has read. */
void ops_look_config(struct ops_patient *patient);
void ops_look_machine(struct ops_patient *patient);
void ops_look_daemons(struct ops_patient *patient);
void ops_look_broker(struct ops_patient *patient);
void ops_look_broker_api(struct ops_patient *patient);
void ops_look_postgres(struct ops_patient *patient);
void ops_look_stripe(struct ops_patient *patient);

/* Accepts zeroed storage. */
void ops_patient_done(struct ops_patient *patient);

#endif
